package profile

import (
	"os/user"
	"path/filepath"
)

// StateDir returns the directory in which a user's programs keep what is to outlast
// them: $XDG_STATE_HOME/greenagent, by default ~/.local/state/greenagent (XDG Base
// Directory Specification). It returns "" where nobody has a home.
func StateDir(environ func(string) string) string {
	// The specification has relative paths ignored.
	if dir := environ("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "greenagent")
	}
	home := environ("HOME")
	if home == "" {
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	if !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, ".local", "state", "greenagent")
}
