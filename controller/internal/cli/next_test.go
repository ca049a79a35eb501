package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
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
	"journalctl": true, "systemctl": true, "ls": true, "df": true, "chmod": true, "curl": true, "make": true, "go": true, "id": true, "pgrep": true, "timedatectl": true, "findmnt": true, "command": true, unknown: true,
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
	inQuotes    = regexp.MustCompile(`'[^']*'`)
	placeholder = regexp.MustCompile(`\b[A-Z]{3,}\b`)
)

// notTypeable is why a command cannot be pasted as it stands, or "".
func notTypeable(command string) string {
	words := strings.Fields(inQuotes.ReplaceAllString(command, "quoted")) // one word for the shell
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
	if why := badFlags(cmd, rest); why != "" {
		return why
	}
	return freeWords(cmd, words)
}

// freeWords is why a command that takes no words cannot have these.
func freeWords(cmd *cobra.Command, words []string) string {
	if cmd.ValidateArgs(nil) != nil || cmd.ValidateArgs([]string{"word"}) == nil {
		return ""
	}
	words = words[min(len(words), strings.Count(cmd.CommandPath(), " ")):]
	for i := 0; i < len(words); i++ {
		switch name, isFlag := strings.CutPrefix(words[i], "--"); {
		case isFlag:
			if flag := lookup(cmd, name); flag != nil && flag.NoOptDefVal == "" {
				i++ // its value
			}
		case strings.HasPrefix(words[i], "-"):
			if flag := cmd.Flags().ShorthandLookup(words[i][1:2]); flag != nil && flag.NoOptDefVal == "" && len(words[i]) == 2 {
				i++
			}
		case !strings.Contains(words[i], unknown):
			return "has the word " + words[i] + ", and " + cmd.CommandPath() + " takes none"
		}
	}
	return ""
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

// typed are the names of fields, variables, parameters and results whose text is for typing: what comes
// next after a refusal, and what mends what doctor found.
var typed = map[string]bool{"next": true, "Next": true, "fix": true, "Fix": true}

type nextText struct{ at, text string }

// nextTexts is what is given to a field, a variable or a parameter of one of the names typed, or returned
// as a result of that name, in the sources of a folder.
func nextTexts(t *testing.T, folder string) []nextText {
	t.Helper()
	c := newCollector()
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
		clear(c.known)
		for _, file := range files {
			for _, decl := range file.Decls {
				if constants, ok := decl.(*ast.GenDecl); ok {
					ast.Inspect(constants, c.name)
				}
			}
		}
		for _, file := range files {
			for _, decl := range file.Decls {
				c.inside(decl, c.texts)
			}
		}
		for _, file := range files {
			for _, decl := range file.Decls {
				c.inside(decl, c.makers)
			}
		}
		clear(c.makes)
	}
	return c.found
}

func newCollector() *collector {
	return &collector{files: token.NewFileSet(), takes: map[string]int{}, makes: map[string]bool{}, known: map[string][]ast.Expr{}, local: map[string][]ast.Expr{}}
}

// collector gathers the texts of one package after the other.
type collector struct {
	files *token.FileSet
	known map[string][]ast.Expr // the package's constants and variables
	local map[string][]ast.Expr // all that is put into the variables of the function that is looked at
	takes map[string]int        // the functions with a parameter next, and which one it is
	makes map[string]bool       // the functions whose result was a next
	found []nextText
}

func (c *collector) add(value ast.Expr) {
	if call, ok := value.(*ast.CallExpr); ok {
		c.makes[called(call)] = true
	}
	for _, text := range c.spelled(value, 0) {
		if text != "" {
			c.found = append(c.found, nextText{c.files.Position(value.Pos()).String(), text})
		}
	}
}

// inside looks at a declaration, and knows the variables of a function.
func (c *collector) inside(decl ast.Decl, look func(ast.Node) bool) {
	clear(c.local)
	if f, ok := decl.(*ast.FuncDecl); ok {
		ast.Inspect(f, c.variable)
	}
	ast.Inspect(decl, look)
}

// name learns the package's own names, variable those of a function.
func (c *collector) name(n ast.Node) bool     { return learn(c.known, n) }
func (c *collector) variable(n ast.Node) bool { return learn(c.local, n) }

func learn(names map[string][]ast.Expr, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) == len(n.Names) {
				names[name.Name] = append(names[name.Name], n.Values[i])
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			name, ok := left.(*ast.Ident)
			switch {
			case !ok:
			case len(n.Rhs) != len(n.Lhs), n.Tok != token.ASSIGN && n.Tok != token.DEFINE:
				names[name.Name] = append(names[name.Name], nil)
			default:
				names[name.Name] = append(names[name.Name], n.Rhs[i])
			}
		}
	case *ast.Field: // a parameter
		for _, name := range n.Names {
			names[name.Name] = append(names[name.Name], nil)
		}
	}
	return true
}

func (c *collector) parameters(n ast.Node) bool {
	if f, ok := n.(*ast.FuncDecl); ok {
		if at := named(f.Type.Params); at >= 0 {
			c.takes[f.Name.Name] = at
		}
	}
	return true
}

// named is which of the fields has one of the names typed, or -1.
func named(fields *ast.FieldList) int {
	at := 0
	if fields == nil {
		return -1
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			if typed[name.Name] {
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
		if key, ok := n.Key.(*ast.Ident); ok && (typed[key.Name]) {
			c.add(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if len(n.Rhs) == len(n.Lhs) && isTyped(left) {
				c.add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) == len(n.Names) && isTyped(name) {
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

func isTyped(left ast.Expr) bool {
	switch left := left.(type) {
	case *ast.Ident:
		return typed[left.Name]
	case *ast.SelectorExpr:
		return typed[left.Sel.Name]
	}
	return false
}

var verb = regexp.MustCompile(`%(\[\d+\])?[svdqw]`)

// spelled is every text that an expression may be, with unknown for what is not spelled out.
func (c *collector) spelled(e ast.Expr, depth int) []string {
	const deepest, most = 4, 16 // a variable that is put into itself
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{text}
		}
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			break
		}
		var all []string
		for _, before := range c.spelled(e.X, depth) {
			for _, behind := range c.spelled(e.Y, depth) {
				all = append(all, before+behind)
			}
		}
		return all[:min(len(all), most)]
	case *ast.ParenExpr:
		return c.spelled(e.X, depth)
	case *ast.Ident:
		values, ok := c.local[e.Name]
		if !ok {
			values = c.known[e.Name]
		}
		if len(values) == 0 || depth == deepest {
			break
		}
		var all []string
		for _, value := range values {
			all = append(all, c.spelled(value, depth+1)...)
		}
		return all[:min(len(all), most)]
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" && len(e.Args) > 0 {
			var all []string
			for _, format := range c.spelled(e.Args[0], depth) {
				all = append(all, verb.ReplaceAllString(format, unknown))
			}
			return all
		}
	}
	return []string{unknown}
}

// TestWhatCannotBeTypedIsFound: each of these stood in the source, and the test above did not see it.
func TestWhatCannotBeTypedIsFound(t *testing.T) {
	folder := t.TempDir()
	const source = `package gates
import "fmt"
const otherPerson = "let another operator apply it"
type failure struct{ next string }
func clock(host string) (why, next string) {
	look := "timedatectl (on the host)"
	return "", look
}
func approval() (why, next string) { return "cannot apply", otherPerson }
func start() any { return struct{ Next string }{Next: "rpctl migrate with a key"} }
func serve() any { return &failure{next: "nothing: rp-agent.socket starts this"} }
func wrong(fix, format string) error { return nil }
func clean() error { return wrong("sudo rm x, then rpctl agent install", "x is a link") }
func fine(env string) (why, next string) {
	again := fmt.Sprintf("rpctl migrate --plan PLAN --env %s", env)
	return "", again + " --apply"
}`
	if err := os.WriteFile(filepath.Join(folder, "gates.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{}
	for _, next := range nextTexts(t, folder) {
		refused[next.text] = notTypeable(next.text)
	}
	for text, want := range map[string]string{
		"timedatectl (on the host)":                               "has a remark in it",
		"let another operator apply it":                           "begins with no program",
		"rpctl migrate with a key":                                "has the word with, and rpctl migrate takes none",
		"nothing: rp-agent.socket starts this":                    "begins with no program",
		"sudo rm x, then rpctl agent install":                     "has a remark in it",
		"rpctl migrate --plan PLAN --env " + unknown + " --apply": "",
	} {
		if why, seen := refused[text]; !seen || why != want {
			t.Errorf("%q: seen %t, %q, want %q", text, seen, why, want)
		}
	}
}

// TestNextGoesToTheHostsThatWereMeant: what is pasted reads the same files, ssh with its own word for one.
func TestNextGoesToTheHostsThatWereMeant(t *testing.T) {
	a := &app{}
	a.flags.hosts, a.flags.sshConfig = "h.toml", "my config"
	for next, want := range map[string]string{
		"rpctl status --env prod":                     "rpctl --hosts h.toml --ssh-config 'my config' status --env prod",
		"ssh pp1 rp-agent doctor":                     "ssh -F 'my config' pp1 rp-agent doctor",
		"ssh -v -F 'my config' pp1":                   "ssh -v -F 'my config' pp1",
		"ssh -t pp1 sudo usermod -aG rpctl \"$USER\"": "ssh -F 'my config' -t pp1 sudo usermod -aG rpctl \"$USER\"",
		"git fetch && rpctl status":                   "git fetch && rpctl --hosts h.toml --ssh-config 'my config' status",
		"ssh-add -l":                                  "ssh-add -l",
	} {
		if got := a.sameHosts(next); got != want || a.sameHosts(got) != want {
			t.Errorf("%q became %q, want %q", next, got, want)
		}
	}
}
