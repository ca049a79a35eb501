package architecture

// module is what all of our own import paths begin with.
const module = "github.com/re-connect/rpctl/"

// homes are the folders that may import a dependency, and why each has more than
// one; tests may use any of them. A dependency that is not here is refused: add it with its home.
// Packages below a dependency's path count as the dependency.
var homes = map[string][]string{
	// One home each.
	"github.com/BurntSushi/toml":           {"internal/stricttoml"},
	"github.com/coreos/go-systemd/v22":     {"agent/internal/units/systemd", "agent/internal/jobs/systemdengine"},
	"github.com/godbus/dbus/v5":            {"agent/internal/units/systemd"},
	"charm.land/lipgloss/v2":               {"controller/internal/view"},
	"github.com/jedib0t/go-pretty/v6":      {"controller/internal/view"},
	"github.com/clipperhouse/displaywidth": {"agent/internal/symfony"},
	"github.com/xuri/excelize/v2":          {"controller/internal/report"},

	// The command lines of the two binaries.
	"github.com/spf13/cobra": {"controller/internal/cli", "agent/internal/cli"},
	"github.com/spf13/pflag": {"controller/internal/cli", "agent/internal/cli"},

	// The lab has SSH hosts in the process, the other end of what the controller does;
	// receipts and approvals are OpenSSH signatures.
	"golang.org/x/crypto/ssh":         {"controller/internal/connect", "controller/internal/upload", "lab/inprocess", "lab/sshhost", "internal/signature", "agent/internal/receiptkey"},
	"github.com/skeema/knownhosts":    {"controller/internal/connect", "lab/sshhost"},
	"github.com/pkg/sftp":             {"controller/internal/upload", "lab/sshhost"},
	"github.com/Shopify/toxiproxy/v2": {"lab", "controller/e2e"},
	"github.com/rs/zerolog":           {"lab"}, // toxiproxy wants its logger

	// What files need that several processes share.
	"github.com/gofrs/flock":        {"agent/internal/audit", "agent/internal/lease", "agent/internal/places", "agent/internal/setup", "agent/internal/jobs/store", "agent/internal/stateform", "controller/internal/witness", "lab"},
	"github.com/google/renameio/v2": {"controller"},

	// The terminal is asked by those who read from it and those who draw on it.
	"golang.org/x/term": {"agent/internal/cli", "controller/internal/cli", "controller/internal/connect", "controller/internal/view"},

	// The extended standard library: system calls, wherever they are needed.
	"golang.org/x/sys": {"agent", "controller", "lab", "internal/coredump", "internal/powercut"},

	"github.com/hiddeco/sshsig": {"internal/signature"},

	// Tests only.
	"github.com/rogpeppe/go-internal": {"controller", "agent", "lab"},
}

// parts are the folders of the tree and which of ours each may import, as the
// table of ARCHITECTURE.md has it; below its own folder a part is free.
var parts = map[string][]string{
	"proto":          {},
	"systemd":        {"proto"},
	"agent":          {"proto", "systemd", "internal"},
	"agent/embedded": {"agent", "proto", "systemd", "internal", "lab"},
	"controller":     {"proto", "systemd", "internal"},
	"lab":            {"proto", "systemd", "internal", "agent/embedded"},
	"internal":       {"proto"},
}

// forTests are what a part's tests may import on top: the lab is made for them.
var forTests = map[string][]string{
	"agent":      {"lab"},
	"controller": {"lab"},
	"systemd":    {"lab"},
}
