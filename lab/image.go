package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// recipe is how an image is made: Debian's minimum, more packages, and commands that are run in it once.
type recipe struct {
	packages []string
	commands [][]string
}

// plain is the image of a host without a database server.
var plain = recipe{packages, customise}

// packages are what a host has beside Debian's minimum; the application's Symfony is Debian's own.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "openssh-server", "polkitd", "sudo", "iproute2", "procps",
	"php-cli", "php-sqlite3", "php-symfony-console", "php-symfony-event-dispatcher",
	"php-symfony-messenger", "php-symfony-process",
}

// The users of every host. Developers log in to preprod as the application's user, as Deployer does, and to prod as
// themselves.
const (
	appUser   = "app"
	adminUser = "admin" // sudo without password: the one who installs
	jumpUser  = "jump"  // of the bastion: no shell, only forwarding

	// developerUser is the operator of prod; create adds it, so that an image of before still does.
	developerUser = "alice"

	appUID   = 1000
	adminUID = 1001
	jumpUID  = 1002

	developerUID = 1003
)

// customise is what the image gets once, as commands in it.
var customise = [][]string{
	{"useradd", "--uid", fmt.Sprint(appUID), "--create-home", "--shell", "/bin/bash", appUser},
	{"useradd", "--uid", fmt.Sprint(adminUID), "--create-home", "--shell", "/bin/bash", "--groups", "sudo", adminUser},
	{"useradd", "--uid", fmt.Sprint(jumpUID), "--create-home", "--shell", "/usr/sbin/nologin", jumpUser},
	// The agent's own user reads the application's releases.
	{"chmod", "0755", "/home/" + appUser},
	// Every host makes its own.
	{"find", "/etc/ssh", "-name", "ssh_host_*", "-delete"},
	{"truncate", "-s", "0", "/etc/machine-id"},
	// Nothing that a throw-away host would do by the clock.
	{"systemctl", "mask", "--quiet", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
		"e2scrub_all.timer", "phpsessionclean.timer", "fstrim.timer", "console-getty.service"},
}

// imageName changes whenever an image built before would not do.
func (r recipe) imageName(s Suite) string {
	sum := sha256.Sum256(fmt.Append(nil, r.packages, r.commands))
	return fmt.Sprintf("%s-%x", s, sum[:6])
}

// image returns the cached root file system of the suite, which it builds where
// there is none. A build that breaks off leaves no image.
func (r recipe) image(ctx context.Context, o Options) (string, error) {
	cache := filepath.Join(o.Dir, "cache")
	// Builders of the same image wait for the first one; those of another do not.
	building := imageLock(cache, r.imageName(o.Suite))
	if err := os.MkdirAll(filepath.Dir(building.Path()), 0o700); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	if _, err := building.TryLockContext(ctx, pollEvery); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	defer func() { _ = building.Unlock() }()

	image := filepath.Join(cache, r.imageName(o.Suite))
	if _, err := os.Stat(image); err == nil {
		return image, os.Chtimes(image, time.Time{}, time.Now())
	}
	if o.Log != nil {
		fmt.Fprintf(o.Log, "lab: building the %s image (about a minute, once)\n", o.Suite)
	}
	if err := dropOldImages(cache); err != nil {
		return "", err
	}
	partial := image + partialImage
	if err := os.RemoveAll(partial); err != nil {
		return "", fmt.Errorf("cannot remove what a broken build left: %w", err)
	}
	if err := r.build(ctx, o.Suite, partial); err != nil {
		return "", errors.Join(err, os.RemoveAll(partial))
	}
	return image, errors.Join(os.Chtimes(partial, time.Time{}, time.Now()), os.Rename(partial, image))
}

// partialImage is how the folder of an image that is being built ends.
const partialImage = ".partial"

// imageLock is held by whoever builds an image.
func imageLock(cache, image string) *flock.Flock {
	return flock.New(filepath.Join(cache, "locks", image))
}

// unusedFor is how long an image that nobody uses stays.
const unusedFor = 7 * 24 * time.Hour

// dropOldImages keeps the cache from growing with every change of the image; what
// another work tree used lately stays. The time of one that is being built is no sign: it may be that of a Debian package.
func dropOldImages(cache string) error {
	images, err := filepath.Glob(filepath.Join(cache, "*-*"))
	if err != nil {
		return err
	}
	for _, dir := range images {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < unusedFor {
			continue
		}
		building := imageLock(cache, strings.TrimSuffix(filepath.Base(dir), partialImage))
		if free, err := building.TryLock(); err != nil || !free {
			continue
		}
		if err := errors.Join(os.RemoveAll(dir), building.Unlock()); err != nil {
			return fmt.Errorf("cannot remove an old image: %w", err)
		}
	}
	return nil
}

func (r recipe) build(ctx context.Context, s Suite, dir string) error {
	include := "--include=" + strings.Join(r.packages, ",")
	if err := command(ctx, "mmdebstrap", "--quiet", "--variant=minbase", include, string(s), dir); err != nil {
		return err
	}
	for _, argv := range r.commands {
		if err := command(ctx, "chroot", append([]string{dir}, argv...)...); err != nil {
			return err
		}
	}
	return nil
}

// command runs a command of this machine; its output is part of the error.
func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run %s: %w\n%s", name, err, lastLines(out, 20))
	}
	return nil
}

// lastLines is the end of an output, for an error.
func lastLines(out []byte, n int) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], []byte("\n"))
}
