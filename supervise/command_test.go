//go:build linux

package supervise

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// start runs args in this very process.
func start(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(c, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-p.Done():
		default:
			_ = unix.Kill(p.PID(), unix.SIGKILL)
		}
		p.Wait()
		p.Close()
	})
	return p
}

func sh(script string, args ...string) Command {
	return Command{Args: append([]string{"sh", "-c", script, "sh"}, args...)}
}

func TestExitStatus(t *testing.T) {
	for _, tt := range []struct {
		script string
		code   int
		signal unix.Signal
	}{
		{"exit 0", 0, 0},
		{"exit 7", 7, 0},
		{"exit 255", 255, 0},
		{"exit 143", 143, 0}, // a status that looks like a signal is none
		{"kill -TERM $$", 143, unix.SIGTERM},
		{"kill -KILL $$", 137, unix.SIGKILL},
		{"ulimit -c 0; kill -SEGV $$", 139, unix.SIGSEGV},
		{"kill -INT $$", 130, unix.SIGINT},
	} {
		t.Run(tt.script, func(t *testing.T) {
			r := start(t, sh(tt.script)).Wait()
			if r.Code != tt.code || r.Signal != tt.signal || r.Reraise || len(r.Warnings) > 0 {
				t.Errorf("got %+v, want code %d and signal %d", r, tt.code, tt.signal)
			}
		})
	}
}

func TestResult(t *testing.T) {
	clock := &counter{}
	p, err := Start(sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"), clock)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := p.Wait()
	if want := (energy.Interval{Start: 1, End: 2}); r.Span != want || p.Started() != want.Start {
		t.Errorf("span %v from %v, want %v", r.Span, p.Started(), want)
	}
	if r.CPU.Total() <= 0 || r.MaxRSS < 1<<10 {
		t.Errorf("no CPU time or memory in %+v", r)
	}
	if again := p.Wait(); !cmp.Equal(again, r) {
		t.Errorf("a second Wait returns %+v, the first %+v", again, r)
	}
	p.Close()
	p.Close()
}

// TestLikeEnv holds the search and the failures against env(1), whose exec is
// the C library's execvp.
func TestLikeEnv(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "bare", "echo bare script $0 $*\n", 0o755)
	write(t, "first/tool", "#!/bin/sh\necho first\n", 0o644)
	write(t, "second/tool", "#!/bin/sh\necho second $0\n", 0o755)
	write(t, "third/tool/file", "", 0o755)
	write(t, "orphan", "#!/no/such/interpreter\n", 0o755)
	write(t, "plain", "text", 0o644)
	write(t, "sub/inner", "#!/bin/sh\necho inner\n", 0o755)
	env, err := exec.LookPath("env")
	if err != nil {
		t.Skip(err)
	}
	usual := os.Getenv("PATH")
	for name, tt := range map[string]struct {
		path string
		args []string
		says string
	}{
		"found":                {usual, []string{"echo", "a", "b c"}, ""},
		"missing":              {usual, []string{"no-such-command"}, "not found in PATH"},
		"missing with slash":   {usual, []string{"./no-such-command"}, "no such file"},
		"empty name":           {usual, []string{"true", ""}, ""},
		"directory":            {usual, []string{"./sub"}, "is a directory"},
		"below a file":         {usual, []string{"./plain/x"}, "not a directory"},
		"not executable":       {usual, []string{"./plain"}, "chmod +x"},
		"no #! line":           {usual, []string{"./bare", "x", "y z"}, ""},
		"no interpreter":       {usual, []string{"./orphan"}, "interpreter"},
		"skips unexecutable":   {"first:second", []string{"tool"}, ""},
		"only unexecutable":    {"first:nowhere", []string{"tool"}, "chmod +x"},
		"skips directories":    {"third:second", []string{"tool"}, ""},
		"only directories":     {"third", []string{"tool"}, "is a directory"},
		"empty element":        {"nowhere:", []string{"bare", "x"}, ""},
		"empty PATH":           {"", []string{"bare"}, ""},
		"dot":                  {".", []string{"bare"}, ""},
		"relative":             {"sub", []string{"inner"}, ""},
		"here but not in PATH": {"nowhere", []string{"bare"}, "say ./bare"},
		"interpreter in PATH":  {dir, []string{"orphan"}, "interpreter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			wantOut, _, wantStatus := output(t, exec.Command(env, tt.args...))
			out, says, status := output(t, supervised(t, tt.args...))
			if status != wantStatus || out != wantOut {
				t.Errorf("status %d, output %q; env gives %d, %q", status, out, wantStatus, wantOut)
			}
			if !strings.Contains(says, tt.says) || (tt.says == "") != (says == "") {
				t.Errorf("says %q, want %q", says, tt.says)
			}
		})
	}
}

func TestPathUnset(t *testing.T) {
	t.Setenv("PATH", "") // restored at the end
	if err := os.Unsetenv("PATH"); err != nil {
		t.Fatal(err)
	}
	if r := start(t, Command{Args: []string{"true"}}).Wait(); r.Code != 0 {
		t.Errorf("got %+v", r)
	}
}

// TestNotFoundAtPlainFile differs from env(1) on purpose: it reports the last
// directory's ENOTDIR as 126, shells say 127.
func TestNotFoundAtPlainFile(t *testing.T) {
	t.Setenv("PATH", "/nowhere:/etc/passwd")
	_, err := Start(Command{Args: []string{"no-such-command"}}, &counter{})
	var failed *StartError
	if !errors.As(err, &failed) || failed.Status != StatusNotFound || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("got %v", err)
	}
}

func TestStartFailures(t *testing.T) {
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]Command{
		"no command":   {},
		"no directory": {Args: []string{"true"}, Dir: "/no/such/directory"},
		"closed input": {Args: []string{"true"}, Stdin: closed},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Start(c, &counter{})
			var failed *StartError
			if p != nil || !errors.As(err, &failed) || failed.Status != StatusFailed {
				t.Errorf("got %v, %v; want status %d", p, err, StatusFailed)
			}
		})
	}
	for errno, status := range map[syscall.Errno]int{
		syscall.EAGAIN: StatusFailed, syscall.ENOMEM: StatusFailed, syscall.EMFILE: StatusFailed,
		syscall.E2BIG: StatusNotExecutable, syscall.ETXTBSY: StatusNotExecutable,
		syscall.EPERM: StatusNotExecutable, syscall.ENOENT: StatusNotFound,
	} {
		if e := startError("./x", errno); e.Status != status || e.reason == "" || !errors.Is(e, errno) {
			t.Errorf("%v: got %+v, want status %d", errno, e, status)
		}
	}
}

func TestHostileNameIsQuoted(t *testing.T) {
	_, err := Start(Command{Args: []string{"./\x1b[31m\n\xff"}}, &counter{})
	if err == nil || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
		t.Errorf("got %q", err)
	}
}

func TestStreamsAreTheVeryOnes(t *testing.T) {
	dir := t.TempDir()
	data := make([]byte, 8<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	write(t, filepath.Join(dir, "data"), string(data), 0o644)

	cmd := supervised(t, "cat")
	in, err := os.Open(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdin = in
	out, says, status := output(t, cmd)
	if status != 0 || says != "" || sha256.Sum256([]byte(out)) != sha256.Sum256(data) {
		t.Errorf("status %d, %d bytes, stderr %q", status, len(out), says)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	inode := func(f *os.File) string {
		link, err := os.Readlink("/proc/self/fd/" + itoa(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	c := Command{Args: []string{"readlink", "/proc/self/fd/1"}, Stdout: w}
	if r := start(t, c).Wait(); r.Code != 0 {
		t.Fatal(r)
	}
	want := inode(w)
	w.Close()
	if got, _ := io.ReadAll(r); strings.TrimSpace(string(got)) != want {
		t.Errorf("the command's stdout is %q, want %q itself", got, want)
	}
}

// TestNonblockingStaysSo: the open file is shared with others, who rely on it.
func TestNonblockingStaysSo(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in := os.NewFile(uintptr(pipe[0]), "in")
	defer in.Close()
	unix.Close(pipe[1])
	if r := start(t, Command{Args: []string{"cat"}, Stdin: in}).Wait(); r.Code != 0 {
		t.Fatal(r)
	}
	if flags, err := unix.FcntlInt(uintptr(pipe[0]), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v: O_NONBLOCK is gone", flags, err)
	}
}

func itoa(fd uintptr) string {
	digits := "0123456789"
	if fd < 10 {
		return digits[fd : fd+1]
	}
	return itoa(fd/10) + digits[fd%10:fd%10+1]
}

// TestSurroundings compares what a command sees of itself with and without us.
func TestSurroundings(t *testing.T) {
	const (
		status = "cat /proc/self/status"
		prefix = "umask 037; ulimit -Sn 100; exec "
	)
	kept := []string{"SigBlk", "SigIgn", "SigCgt", "Umask", "Cap", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Groups"}
	for name, tt := range map[string]struct {
		prefix, command string
		filter          []string
	}{
		"status":      {"exec ", status, kept},
		"umask":       {prefix, status, kept},
		"limits":      {prefix, "cat /proc/self/limits", nil},
		"environment": {"exec ", "env", nil},
		"directory":   {"cd /usr; exec ", "pwd", nil},
		"files":       {"exec 7</dev/null; exec ", "ls /proc/self/fd", nil},
		"closed file": {"exec 7<&-; exec ", "ls /proc/self/fd", nil},
		"no input":    {"exec <&-; exec ", "ls /proc/self/fd", nil},
		"no errors":   {"exec 2>&-; exec ", "ls /proc/self/fd", nil},
		"ignored":     {"trap '' HUP INT QUIT TERM PIPE USR1 TSTP TTIN TTOU WINCH CONT XCPU XFSZ; exec ", status, kept},
		"nohup":       {"exec nohup ", status, kept},
		"blocked":     {"exec env --block-signal=TERM,INT,USR1 ", status, kept},
		"group":       {"exec ", "cut -d' ' -f5-8 /proc/self/stat", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if slices.Contains([]string{"ignored", "blocked", "no input", "no errors"}, name) && !knowsInherited {
				t.Skip("needs cgo")
			}
			see := func(under string) string {
				cmd := exec.Command("sh", "-c", tt.prefix+under+tt.command)
				cmd.Env = append(os.Environ(), "SELF="+self(t), "RUN="+role+"=run")
				out, says, code := output(t, cmd)
				if code != 0 && strings.Contains(says, "block-signal") {
					t.Skip("env cannot block signals here")
				}
				if code != 0 || (says != "" && !strings.Contains(says, "nohup")) {
					t.Fatalf("status %d: %s", code, says)
				}
				if tt.filter != nil {
					out = fields(out, tt.filter...)
				}
				// Shells and env itself differ in these only.
				return withoutLines(out, "_=", role)
			}
			bare, under := see(""), see(`env "$RUN" "$SELF" `)
			if bare == "" || bare != under {
				t.Errorf("bare and supervised differ (-bare +supervised):\n%s", cmp.Diff(bare, under))
			}
		})
	}
}

func withoutLines(text string, prefixes ...string) string {
	var kept bytes.Buffer
lines:
	for line := range strings.Lines(text) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				continue lines
			}
		}
		kept.WriteString(line)
	}
	return kept.String()
}
