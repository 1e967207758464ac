package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// x86 writes n logical CPUs in as many sockets as asked for.
func (t tree) x86(n, sockets int, model, flags string) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\nmodel name\t: %s\n"+
			"stepping\t: 6\ncpu MHz\t\t: 2600.000\ncache size\t: 49152 KB\nphysical id\t: %d\ncore id\t\t: %d\nflags\t\t: fpu vme %s\n\n",
			i, model, i%sockets, i/sockets, flags)
	}
	t.write("proc/cpuinfo", b.String())
}

func (t tree) roots() Roots {
	return Roots{Proc: filepath.Join(t.root, "proc"), Sys: filepath.Join(t.root, "sys"), Etc: filepath.Join(t.root, "etc")}
}

func TestReadFacts(t *testing.T) {
	root := newTree(t)
	root.x86(8, 2, "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", "sse2")
	root.write("proc/meminfo", "MemTotal:       263812345 kB\nMemFree:  1000 kB\nMemAvailable: 2000 kB\n")
	root.write("etc/os-release", "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\n")
	got, err := ReadFacts(t.Context(), root.roots())
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	want := Facts{
		Hostname: name, OS: "Ubuntu 24.04.1 LTS", Kernel: unix.ByteSliceToString(uts.Release[:]),
		CPUModel: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", Vendor: "GenuineIntel", Family: 6, Model: 106, Stepping: 6,
		LogicalCPUs: 8, Packages: 2, Memory: 263812345 << 10,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVirtual(t *testing.T) {
	for name, c := range map[string]struct {
		flags, vendor, product string
		want                   bool
	}{
		"bare metal":       {"sse2", "Dell Inc.", "PowerEdge R750", false},
		"x86 guest":        {"sse2 hypervisor", "", "", true},
		"ARM guest":        {"", "QEMU", "QEMU Virtual Machine", true},
		"EC2 guest":        {"", "Amazon EC2", "m7g.large", true},
		"EC2 metal":        {"", "Amazon EC2", "m7g.metal", false},
		"Google guest":     {"", "Google", "Google Compute Engine", true},
		"Chromebook":       {"", "Google", "Redrix", false},
		"Azure guest":      {"", "Microsoft Corporation", "Virtual Machine", true},
		"Surface":          {"", "Microsoft Corporation", "Surface Pro", false},
		"a KVM of its own": {"", "ACME", "KVM", true},
	} {
		root := newTree(t)
		root.x86(2, 1, "x", c.flags)
		root.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 1 kB\n")
		root.write("sys/class/dmi/id/sys_vendor", c.vendor+"\n")
		root.write("sys/class/dmi/id/product_name", c.product+"\n")
		// A container is no virtual machine.
		root.write("proc/self/cgroup", "0::/docker/0123456789abcdef\n")
		got, err := ReadFacts(t.Context(), root.roots())
		if err != nil || got.Virtual != c.want {
			t.Errorf("%s: virtual %t, %v", name, got.Virtual, err)
		}
	}
}

func TestFactsOfGrace(t *testing.T) {
	root := newTree(t)
	root.write("proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"+
		"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 0\n\n")
	root.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 1 kB\n")
	got, err := ReadFacts(t.Context(), root.roots())
	if err != nil || got.Model != 0xd4f || got.CPUModel != "" || got.Vendor != "ARM" || got.LogicalCPUs != 1 || got.Family != -1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Nothing at all can be read, and what the kernel itself says is there.
func TestFactsOfNothing(t *testing.T) {
	got, err := ReadFacts(t.Context(), newTree(t).roots())
	if !errors.Is(err, ErrAbsent) {
		t.Errorf("error %v", err)
	}
	if got.Kernel == "" || got.LogicalCPUs != 0 || got.Memory != 0 || got.OS != "" || got.Virtual {
		t.Errorf("%+v", got)
	}
}

func TestOwnFacts(t *testing.T) {
	got, err := ReadFacts(t.Context(), Roots{Proc: "/proc", Sys: "/sys", Etc: "/etc"})
	if err != nil {
		t.Fatal(err)
	}
	if got.LogicalCPUs < runtime.NumCPU() || got.Memory < 64<<20 || got.Hostname == "" || got.Packages < 1 {
		t.Errorf("this machine is %+v", got)
	}
}

func BenchmarkReadFacts(b *testing.B) {
	b.Run("this machine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadFacts(b.Context(), Roots{Proc: "/proc", Sys: "/sys", Etc: "/etc"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("256 CPUs", func(b *testing.B) {
		root := newTree(b)
		root.x86(256, 2, "Intel(R) Xeon(R) 6980P", strings.Repeat("flag ", 150))
		root.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 1 kB\n")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadFacts(b.Context(), root.roots()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
