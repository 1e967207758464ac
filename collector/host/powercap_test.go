package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// raplRange is the usual one of a package: 2^32−1 units of 61 µJ.
const raplRange = 262143328850

// twoSockets is a server with all kinds of zones.
func twoSockets(tb testing.TB) tree {
	sys := newTree(tb)
	for i := range 2 {
		p := fmt.Sprintf("intel-rapl:%d", i)
		sys.zone(p, fmt.Sprintf("package-%d", i), int64(1000*(i+1)), raplRange)
		sys.write("class/powercap/"+p+"/constraint_0_max_power_uw", "150000000\n")
		sys.write("class/powercap/"+p+"/constraint_1_max_power_uw", "250000000\n")
		sys.zone(p+":0", "dram", 70, 65712999613)
		sys.zone(p+":1", "core", 80, raplRange)
	}
	sys.zone("intel-rapl:2", "psys", 9000, raplRange)
	sys.write("class/powercap/intel-rapl/enabled", "1\n")
	sys.write("class/powercap/dtpm:0/name", "something else\n")
	return sys
}

func TestPowercapDomains(t *testing.T) {
	p, err := OpenPowercap(twoSockets(t).root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := []summary{
		{"intel-rapl:0", "package-0", CPU, NoParent},
		{"intel-rapl:0:0", "package-0/dram", Memory, NoParent},
		{"intel-rapl:0:1", "package-0/core", CPU, 0},
		{"intel-rapl:1", "package-1", CPU, NoParent},
		{"intel-rapl:1:0", "package-1/dram", Memory, NoParent},
		{"intel-rapl:1:1", "package-1/core", CPU, 3},
		{"intel-rapl:2", "psys", Host, NoParent},
	}
	if diff := cmp.Diff(want, summaries(p.Domains())); diff != "" {
		t.Error(diff)
	}
	for i, d := range p.Domains() {
		if d.Kind != Counter || d.Basis != energy.Counted || d.Uncertainty <= 0 {
			t.Errorf("%s: %+v", d.ID, d)
		}
		if want := d.Name != "package-0/core" && d.Name != "package-1/core"; d.Additive() != want {
			t.Errorf("domain %d additive: %t", i, d.Additive())
		}
	}
	// 262 kJ at twice the 250 W that the processor admits to.
	if got := p.Domains()[0].Longest; got.Round(time.Second) != 524*time.Second {
		t.Errorf("a package's counter lasts %v", got)
	}
	if len(p.Warnings()) != 0 {
		t.Errorf("warnings: %v", p.Warnings())
	}
}

func TestPowercapRead(t *testing.T) {
	sys := newTree(t)
	sys.zone("intel-rapl:0", "package-0", raplRange-10, raplRange)
	c := &clock{}
	p, err := OpenPowercap(sys.root, c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	read := func() Reading {
		t.Helper()
		got, err := p.Read([]Reading{{Domain: 77}})
		if err != nil || len(got) != 2 || got[0].Domain != 77 {
			t.Fatal(got, err)
		}
		return got[1]
	}
	first := read()
	if first.Energy != raplRange-10 || first.Kind != Counter || first.Domain != 0 || first.Before >= first.After ||
		first.At() < first.Before || first.At() > first.After {
		t.Errorf("first: %+v", first)
	}
	sys.setZone("intel-rapl:0", 5) // through its range
	c.advance(time.Second)
	if second := read(); second.Energy-first.Energy != 15 || second.Epoch != first.Epoch {
		t.Errorf("second: %+v", second)
	}
	sys.setZone("intel-rapl:0", 4) // a whole turn in a second would be 262 kW
	c.advance(time.Second)
	if third := read(); third.Energy-first.Energy != 15 || third.Epoch != first.Epoch+1 {
		t.Errorf("third: %+v", third)
	}
}

func TestPowercapWithoutDuplicates(t *testing.T) {
	sys := newTree(t)
	// The same package by way of MSRs and of memory-mapped registers.
	sys.zone("intel-rapl:0", "psys", 500, raplRange)
	sys.zone("intel-rapl:1", "package-0", 1000, raplRange)
	sys.zone("intel-rapl:1:0", "core", 100, raplRange)
	sys.zone("intel-rapl-mmio:0", "package-0", 1001, raplRange)
	sys.zone("intel-rapl-mmio:0:0", "core", 101, raplRange)
	sys.zone("intel-rapl-mmio:0:1", "dram", 7, raplRange) // only there
	p, err := OpenPowercap(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := []summary{
		{"intel-rapl:0", "psys", Host, NoParent},
		{"intel-rapl:1", "package-0", CPU, NoParent},
		{"intel-rapl:1:0", "package-0/core", CPU, 1},
		{"intel-rapl-mmio:0:1", "package-0/dram", Memory, NoParent},
	}
	if diff := cmp.Diff(want, summaries(p.Domains())); diff != "" {
		t.Error(diff)
	}
}

// Where there are no MSRs, the memory-mapped registers will do.
func TestPowercapMMIOAlone(t *testing.T) {
	sys := newTree(t)
	sys.zone("intel-rapl-mmio:0", "package-0", 1001, raplRange)
	p, err := OpenPowercap(sys.root, &clock{})
	if err != nil || len(p.Domains()) != 1 || p.Domains()[0].Type != CPU {
		t.Fatal(p, err)
	}
	_ = p.Close()
}

func TestPowercapDies(t *testing.T) {
	for name, c := range map[string]struct {
		a, b int64
		want int
	}{
		"AMD: one counter for the socket": {5000e6, 5000e6 + 300000, 1},
		"Intel: a counter for each die":   {5000e6, 9000e6, 2},
	} {
		sys := newTree(t)
		sys.zone("intel-rapl:0", "package-0-die-0", c.a, raplRange)
		sys.zone("intel-rapl:0:0", "core", 3, raplRange)
		sys.zone("intel-rapl:1", "package-0-die-1", c.b, raplRange)
		sys.zone("intel-rapl:1:0", "core", 3, raplRange)
		// Another socket is another counter, whatever it says.
		sys.zone("intel-rapl:2", "package-1-die-0", c.a, raplRange)
		p, err := OpenPowercap(sys.root, &clock{})
		if err != nil {
			t.Fatal(err)
		}
		additive, parts := 0, 0
		for i := range p.Domains() {
			if p.Domains()[i].Additive() {
				additive++
			} else {
				parts++
			}
		}
		if additive != c.want+1 || parts != c.want {
			t.Errorf("%s: %v", name, summaries(p.Domains()))
		}
		_ = p.Close()
	}
}

func TestPowercapAbsent(t *testing.T) {
	sys := newTree(t)
	if p, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, ErrAbsent) || p != nil {
		t.Errorf("no class: %v", err)
	}
	sys.write("class/powercap/dtpm/enabled", "1")
	if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, ErrAbsent) {
		t.Errorf("no zones: %v", err)
	}
}

// A container runtime covers /sys/devices/virtual/powercap with an empty file
// system: the links of the class lead nowhere.
func TestPowercapMasked(t *testing.T) {
	sys := newTree(t)
	sys.write("class/powercap/intel-rapl/enabled", "1")
	if err := os.Symlink("../../devices/virtual/powercap/intel-rapl/intel-rapl:0",
		filepath.Join(sys.root, "class/powercap/intel-rapl:0")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, ErrMasked) || errors.Is(err, ErrAbsent) {
		t.Errorf("dangling link: %v", err)
	}
	sys.remove("class/powercap/intel-rapl:0")
	if err := os.MkdirAll(filepath.Join(sys.root, "class/powercap/intel-rapl:0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, ErrMasked) {
		t.Errorf("empty directory: %v", err)
	}
}

// asNobody runs f on a thread whose file accesses are those of an ordinary
// user, which root's are not: setfsuid(2) drops CAP_DAC_OVERRIDE too, for this
// thread alone.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	dropped := true
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			_, _ = unix.SetfsuidRetUid(65534) // returns the previous one, whatever happens
			now, _ := unix.SetfsuidRetUid(-1)
			dropped = now == 65534
		}
		if dropped {
			f()
		}
	}()
	<-done
	if !dropped {
		t.Skip("cannot give up root's rights here")
	}
}

// openToAll lets everybody into a directory of this test's TempDir, whose parent
// is for the owner alone.
func openToAll(t *testing.T, dir string) {
	t.Helper()
	for _, dir := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPowercapPermission(t *testing.T) {
	sys := twoSockets(t)
	openToAll(t, sys.root)
	files, err := filepath.Glob(filepath.Join(sys.root, "class/powercap/*/energy_uj"))
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o000); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t, func() {
		p, err := OpenPowercap(sys.root, &clock{})
		if !errors.Is(err, ErrPermission) || !errors.Is(err, fs.ErrPermission) || p != nil {
			t.Errorf("unreadable zones: %v", err)
		}
		if err != nil && !strings.Contains(err.Error(), "intel-rapl:0/energy_uj") {
			t.Errorf("%q does not name the file", err)
		}
	})
	// One that can be read is better than none.
	if err := os.Chmod(filepath.Join(sys.root, "class/powercap/intel-rapl:1/energy_uj"), 0o444); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		p, err := OpenPowercap(sys.root, &clock{})
		if err != nil {
			t.Errorf("one readable zone: %v", err)
			return
		}
		defer p.Close()
		if len(p.Domains()) != 1 || p.Domains()[0].Name != "package-1" || len(p.Warnings()) != 6 {
			t.Errorf("domains %v, %d warnings", summaries(p.Domains()), len(p.Warnings()))
		}
	})
}

func TestMeaning(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.EACCES: ErrPermission, syscall.EPERM: ErrPermission, syscall.ENOENT: ErrVanished,
		syscall.ENODEV: ErrVanished, syscall.EIO: syscall.EIO,
	} {
		if err := meaning(errno, ErrVanished); !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v became %v", errno, err)
		}
	}
}

func TestPowercapBrokenZones(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "letters": "energy\n", "negative": "-5\n", "huge": "9223372036854775808\n", "two": "1 2\n",
		"NUL": "12\x00", "long": strings.Repeat("1", 5000),
	} {
		sys := newTree(t)
		sys.zone("intel-rapl:0", "package-0", 1, raplRange)
		sys.write("class/powercap/intel-rapl:0/energy_uj", content)
		if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		// And after it was opened.
		sys.write("class/powercap/intel-rapl:0/energy_uj", "7")
		sys.zone("intel-rapl:1", "package-1", 3, raplRange)
		p, err := OpenPowercap(sys.root, &clock{})
		if err != nil {
			t.Fatal(err)
		}
		sys.write("class/powercap/intel-rapl:0/energy_uj", content)
		if got, err := p.Read(nil); !errors.Is(err, ErrMalformed) || len(got) != 1 || got[0].Domain != 1 || got[0].Energy != 3 {
			t.Errorf("%s: read %v, %v", name, got, err)
		}
		_ = p.Close()
	}
	sys := newTree(t)
	sys.zone("intel-rapl:0", "package-0", 1, raplRange)
	sys.remove("class/powercap/intel-rapl:0/energy_uj")
	sys.write("class/powercap/intel-rapl:0/energy_uj/file", "")
	if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("directory: %v", err)
	}
	sys.remove("class/powercap/intel-rapl:0/energy_uj")
	if err := os.Symlink("energy_uj", filepath.Join(sys.root, "class/powercap/intel-rapl:0/energy_uj")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPowercap(sys.root, &clock{}); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	sys.zone("intel-rapl:1", "\x1b[2Jnonsense", 3, raplRange)
	if _, err := OpenPowercap(sys.root, &clock{}); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("zone of a strange name: %q", err)
	}
}

// Without the rights to read a package, its parts would look like packages.
func TestPowercapOrphans(t *testing.T) {
	sys := twoSockets(t)
	sys.write("class/powercap/intel-rapl:0/energy_uj", "broken")
	p, err := OpenPowercap(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, d := range p.Domains() {
		if d.Name == "package-0/core" {
			t.Errorf("%+v", d)
		}
	}
	if len(p.Domains()) != 5 || len(p.Warnings()) != 1 {
		t.Errorf("domains %v, warnings %v", summaries(p.Domains()), p.Warnings())
	}
}

// A real sysfs: a file held open shows a counter's present value at offset 0.
func TestSysfsShowsAnew(t *testing.T) {
	a, err := openAttribute("/sys/class/net/lo/statistics/rx_bytes")
	if errors.Is(err, ErrAbsent) || errors.Is(err, ErrPermission) {
		t.Skip("no loopback statistics here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.close() }()
	buf := make([]byte, 24)
	before, err := a.read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if err := sendToSelf(100); err != nil {
		t.Skip("no loopback traffic here:", err)
	}
	after, err := a.read(buf)
	if err != nil || after < before+100 {
		t.Errorf("%d bytes received, then %d, %v", before, after, err)
	}
}

func sendToSelf(n int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	self, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	if err := unix.Sendto(fd, make([]byte, n), 0, self); err != nil {
		return err
	}
	_, _, err = unix.Recvfrom(fd, make([]byte, n), 0)
	return err
}

func TestPowercapReadAllocatesNothing(t *testing.T) {
	p, err := OpenPowercap(twoSockets(t).root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dst := make([]Reading, 0, 7)
	if n := testing.AllocsPerRun(100, func() {
		if got, err := p.Read(dst[:0]); err != nil || len(got) != 7 {
			t.Fatal(got, err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}

func FuzzCount(f *testing.F) {
	for _, s := range []string{"0\n", "262143328850\n", "-1", "9223372036854775807", "", "\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, ok := parseCount(text)
		if v < 0 {
			t.Errorf("%q read as %d", text, v)
		}
		if back := strings.TrimLeft(strings.TrimSuffix(string(text), "\n"), "0"); ok && v > 0 && back != fmt.Sprint(v) {
			t.Errorf("%q read as %d", text, v)
		}
	})
}

func FuzzZoneName(f *testing.F) {
	for _, s := range []string{"intel-rapl:0", "intel-rapl:0:2", "intel-rapl-mmio:0", "intel-rapl", "intel-rapl:-1", "intel-rapl:0:0:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if n, ok := parseZoneName(id); ok && (n.index < 0 || n.sub < NoParent || !strings.HasPrefix(id, "intel-rapl")) {
			t.Errorf("%q read as %+v", id, n)
		}
	})
}

func BenchmarkPowercapRead(b *testing.B) {
	p, err := OpenPowercap(twoSockets(b).root, &clock{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	dst := make([]Reading, 0, 7)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Read(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
