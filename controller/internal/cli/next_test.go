package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknown stands in a text for what is only known at run time.
const unknown = "\x00"

// programs are what a `next:` may begin with.
var programs = map[string]bool{
	"rpctl": true, "rp-agent": true, "git": true, "ssh": true, "ssh-add": true, "ssh-keygen": true, "sudo": true,
	"journalctl": true, "systemctl": true, "ls": true, "df": true, "chmod": true, "curl": true, "make": true, "go": true, "id": true, "pgrep": true, "timedatectl": true, unknown: true,
}

// TestNextCanBeTyped goes over every `Next` of the controller and of the agent that stands in the source:
// it is a command, without remarks and placeholders, and where it is one of rpctl's, rpctl knows its words.
// "--plan PLAN" is the agent's: the controller puts the plan's own path there (migrate.Options.own).
func TestNextCanBeTyped(t *testing.T) {
	found := 0
	for _, folder := range []string{"../../../controller", "../../../agent"} {
		for _, next := range nextTexts(t, folder) {
			found++
			for _, command := range strings.Split(next.text, " && ") {
				if why := notTypeable(command); why != "" {
					t.Errorf("%s: %q %s", next.at, strings.ReplaceAll(next.text, unknown, "…"), why)
					break
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d texts were found: the test looks at nothing", found)
	}
}

var (
	remark      = regexp.MustCompile("[()`…;|]|, | then ")
	ownPlan     = strings.NewReplacer("--plan PLAN", "", "plan check PLAN", "", `"$USER"`, "", "checkout HEAD", "")
	placeholder = regexp.MustCompile(`\b[A-Z]{3,}\b`)
)

// notTypeable is why a command cannot be pasted as it stands, or "".
func notTypeable(command string) string {
	words := strings.Fields(command)
	switch {
	case command == "" || command == unknown:
		return "" // none, or one from elsewhere, where it is looked at
	case len(words) == 0 || !programs[words[0]]:
		return "begins with no program"
	case remark.MatchString(command):
		return "has a remark in it"
	case placeholder.MatchString(ownPlan.Replace(command)):
		return "has a placeholder in it"
	case words[0] == "rpctl" && len(words) > 1 && !strings.HasPrefix(words[1], unknown):
		return unlike(words[1:])
	}
	return ""
}

// unlike is why words are no command line of rpctl.
func unlike(words []string) string {
	known := (&app{}).root()
	cmd, rest, err := known.Find(slicesWithout(words, unknown))
	if err != nil || cmd == known && len(words) > 0 && !strings.HasPrefix(words[0], "-") && !strings.HasPrefix(words[0], unknown) {
		return "is no command of rpctl"
	}
	return badFlags(cmd, rest)
}

func badFlags(cmd *cobra.Command, rest []string) string {
	for _, word := range rest {
		name, isFlag := strings.CutPrefix(word, "--")
		if name, _, _ = strings.Cut(name, "="); isFlag && name != "help" && !strings.Contains(name, unknown) && lookup(cmd, name) == nil {
			return "has no flag --" + name
		}
	}
	return ""
}

func lookup(cmd *cobra.Command, name string) *pflag.Flag {
	if flag := cmd.Flags().Lookup(name); flag != nil {
		return flag
	}
	return cmd.InheritedFlags().Lookup(name)
}

func slicesWithout(words []string, prefix string) []string {
	var kept []string
	for _, word := range words {
		if !strings.HasPrefix(word, prefix) {
			kept = append(kept, word)
		}
	}
	return kept
}

type nextText struct{ at, text string }

// nextTexts is what is given to a field Next, to a variable next, to a parameter next of a function
// of the same package, or returned as a result next, in the sources of a folder.
func nextTexts(t *testing.T, folder string) []nextText {
	t.Helper()
	c := &collector{files: token.NewFileSet(), takes: map[string]int{}, makes: map[string]bool{}}
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(c.files, path, nil, 0)
		packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range packages {
		clear(c.takes)
		for _, file := range files {
			ast.Inspect(file, c.parameters)
		}
		for _, file := range files {
			ast.Inspect(file, c.texts)
		}
		for _, file := range files {
			ast.Inspect(file, c.makers)
		}
		clear(c.makes)
	}
	return c.found
}

// collector gathers the texts of one package after the other.
type collector struct {
	files *token.FileSet
	takes map[string]int  // the functions with a parameter next, and which one it is
	makes map[string]bool // the functions whose result was a next
	found []nextText
}

func (c *collector) add(value ast.Expr) {
	if call, ok := value.(*ast.CallExpr); ok {
		c.makes[called(call)] = true
	}
	if text := spelled(value); text != "" {
		c.found = append(c.found, nextText{c.files.Position(value.Pos()).String(), text})
	}
}

func (c *collector) parameters(n ast.Node) bool {
	if f, ok := n.(*ast.FuncDecl); ok {
		if at := named(f.Type.Params); at >= 0 {
			c.takes[f.Name.Name] = at
		}
	}
	return true
}

// named is which of the fields is called next, or -1.
func named(fields *ast.FieldList) int {
	at := 0
	if fields == nil {
		return -1
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			if name.Name == "next" {
				return at
			}
			at++
		}
	}
	return -1
}

func (c *collector) texts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if at := named(n.Type.Results); at >= 0 && n.Body != nil {
			ast.Inspect(n.Body, func(inside ast.Node) bool {
				if r, ok := inside.(*ast.ReturnStmt); ok && at < len(r.Results) {
					c.add(r.Results[at])
				}
				return true
			})
		}
	case *ast.CallExpr:
		if at, takes := c.takes[called(n)]; takes && at < len(n.Args) {
			c.add(n.Args[at])
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Next" {
			c.add(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if len(n.Rhs) == len(n.Lhs) && isNext(left) {
				c.add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) == len(n.Names) && isNext(name) {
				c.add(n.Values[i])
			}
		}
	}
	return true
}

// makers looks at what the functions return that are asked for a next; their other texts are no command.
func (c *collector) makers(n ast.Node) bool {
	f, ok := n.(*ast.FuncDecl)
	if !ok || !c.makes[f.Name.Name] || f.Type.Results.NumFields() != 1 {
		return true
	}
	if result, text := f.Type.Results.List[0].Type.(*ast.Ident); !text || result.Name != "string" || f.Body == nil {
		return true
	}
	ast.Inspect(f.Body, func(inside ast.Node) bool {
		if r, ok := inside.(*ast.ReturnStmt); ok {
			c.add(r.Results[0])
		}
		return true
	})
	return true
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func isNext(left ast.Expr) bool {
	switch left := left.(type) {
	case *ast.Ident:
		return left.Name == "next"
	case *ast.SelectorExpr:
		return left.Sel.Name == "Next"
	}
	return false
}

var verb = regexp.MustCompile(`%(\[\d+\])?[svdqw]`)

// spelled is an expression's text, with unknown for what is not spelled out.
func spelled(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil || e.Kind != token.STRING {
			return unknown
		}
		return text
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return unknown
		}
		return spelled(e.X) + spelled(e.Y)
	case *ast.ParenExpr:
		return spelled(e.X)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" && len(e.Args) > 0 {
			return verb.ReplaceAllString(spelled(e.Args[0]), unknown)
		}
	}
	return unknown
}
