//go:build linux

package libsim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

//go:embed src
var sources embed.FS

// Name is the file name and soname of the library.
const Name = "libnvidia-ml.so.1"

// ErrNoCompiler means that there is no C compiler, or no go command to find nvml.h with.
var ErrNoCompiler = errors.New("libsim cannot be built here")

// Build returns the path of a library without the given symbols, building it if
// that has not been done before: the results are kept in a folder of the user's
// under the system's temporary one, by a hash of everything that went into them.
func Build(ctx context.Context, without ...string) (string, error) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	compiler, err := exec.LookPath(cc)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoCompiler, err)
	}
	header, err := headerFolder(ctx)
	if err != nil {
		return "", err
	}
	script, err := exports(without)
	if err != nil {
		return "", err
	}
	arguments := []string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-deprecated-declarations", "-shared", "-fPIC",
		"-DNVML_NO_UNVERSIONED_FUNC_DEFS=1", "-Wl,-soname," + Name, "-Wl,--version-script=exports.map",
		// Bound calls keep pointing into the library after dlclose; it must stay.
		"-Wl,-z,nodelete",
		"-I" + header, "-o", Name}

	hash := sha256.New()
	fmt.Fprintln(hash, compiler, arguments, script)
	files, err := fs.Glob(sources, "src/*")
	if err != nil {
		return "", err
	}
	for _, file := range files {
		content, err := sources.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(hash, file, len(content))
		hash.Write(content)
		if strings.HasSuffix(file, ".c") {
			arguments = append(arguments, filepath.Base(file))
		}
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, fmt.Sprintf("%x", hash.Sum(nil)[:12]))
	library := filepath.Join(folder, Name)
	if _, err := os.Stat(library); err == nil {
		return library, nil
	}
	return library, compile(ctx, compiler, append(arguments, "-lpthread"), files, script, cache, folder)
}

// compile builds in a folder of its own and renames it into place, so that test
// binaries running at once do not see each other's halves.
func compile(ctx context.Context, compiler string, arguments, files []string, script, cache, folder string) error {
	work, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, file := range files {
		content, err := sources.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, filepath.Base(file)), content, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(work, "exports.map"), []byte(script), 0o600); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, compiler, arguments...)
	command.Dir = work
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", Name, err, out)
	}
	if err := os.Rename(work, folder); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

var symbolName = regexp.MustCompile(`^nvml[A-Za-z0-9_]+$`)

// exports returns the linker's version script: everything of NVML, except what is
// left out, and the node that the variants share.
func exports(without []string) (string, error) {
	without = slices.Clone(without)
	slices.Sort(without)
	var hidden strings.Builder
	for _, symbol := range slices.Compact(without) {
		if !symbolName.MatchString(symbol) {
			return "", fmt.Errorf("libsim: %q is not a symbol of NVML", symbol)
		}
		fmt.Fprintf(&hidden, " %s;", symbol)
	}
	return fmt.Sprintf("{ global: nvml*; libsim_node_1; local:%s *; };\n", hidden.String()), nil
}

// headerFolder returns where the go-nvml module keeps NVIDIA's header.
func headerFolder(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		return "", fmt.Errorf("%w: locate nvml.h: %w", ErrNoCompiler, err)
	}
	return filepath.Join(string(bytes.TrimSpace(out)), "pkg", "nvml"), nil
}

// cacheFolder returns a folder that only this user can write to.
func cacheFolder() (string, error) {
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("greenagent-libsim-%d", os.Getuid()))
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(owner.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("libsim: %s is not a folder of this user alone", folder)
	}
	return folder, nil
}
