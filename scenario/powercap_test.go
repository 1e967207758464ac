package scenario

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
)

func server() Node {
	node := family()
	node.CPU.Packages = []Package{
		{Idle: 100 * energy.Watt, Max: 350 * energy.Watt, Core: true, DRAMIdle: 10 * energy.Watt, DRAMMax: 30 * energy.Watt},
		{Idle: 100 * energy.Watt, Max: 350 * energy.Watt, Wrap: 1000 * energy.Joule},
	}
	node.CPU.Psys = 80 * energy.Watt
	return node
}

// zones returns what /sys/class/powercap under root has, by folder.
func zones(t *testing.T, root string) (names map[string]string, energies map[string]energy.Energy) {
	t.Helper()
	names, energies = map[string]string{}, map[string]energy.Energy{}
	class := filepath.Join(root, "class", "powercap")
	entries, err := os.ReadDir(class)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		read := func(file string) string {
			b, err := os.ReadFile(filepath.Join(class, e.Name(), file))
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSuffix(string(b), "\n")
		}
		n, err := strconv.ParseInt(read("energy_uj"), 10, 64)
		if limit, _ := strconv.ParseInt(read("max_energy_range_uj"), 10, 64); err != nil || n < 0 || n > limit {
			t.Errorf("%s: %d of %d, %v", e.Name(), n, limit, err)
		}
		names[e.Name()], energies[e.Name()] = read("name"), energy.Energy(n)
	}
	return names, energies
}

func TestPowercap(t *testing.T) {
	node := server()
	if err := node.Validate(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := node.WritePowercap(root, 0); err != nil {
		t.Fatal(err)
	}
	names, before := zones(t, root)
	if d := cmp.Diff(map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
		"intel-rapl:1": "package-1", "intel-rapl:2": "psys"}, names); d != "" {
		t.Fatal(d)
	}
	const later = 4 * time.Second
	if err := node.WritePowercap(root, later); err != nil {
		t.Fatal(err)
	}
	_, after := zones(t, root)
	pkg, dram := node.PackageEnergy(0, 0, later), node.DRAMEnergy(0, 0, later)
	// 0.1 + 2 + 1 + ½ cores of 8, the latter two for 3 s, of 250 W and 20 W above idle.
	if want := energy.FromJoules(400 + 250*(0.4+8+3+1.5)/8); pkg < want-energy.Millijoule || pkg > want+energy.Millijoule {
		t.Errorf("package used %v, want %v", pkg, want)
	}
	for zone, want := range map[string]energy.Energy{
		"intel-rapl:0": pkg, "intel-rapl:0:0": pkg - 160*energy.Joule, "intel-rapl:0:1": dram,
		"intel-rapl:2": 2*pkg + dram + 320*energy.Joule,
	} {
		if got := after[zone] - before[zone]; got != want {
			t.Errorf("%s rose by %d µJ, want %d", zone, got, want)
		}
	}
	const modulus = 1000*energy.Joule + 1
	if got := (after["intel-rapl:1"] - before["intel-rapl:1"] + modulus) % modulus; got != pkg {
		t.Errorf("package-1 rose by %d µJ across its wrap, want %d", got, pkg)
	}
	if _, err := os.Stat(filepath.Join(root, "class", "powercap", "intel-rapl:0", "intel-rapl:0:1", "energy_uj")); err != nil {
		t.Errorf("dram is not below its package: %v", err)
	}
}

// TestPackageIsItsParts adds up idle and what each process caused.
func TestPackageIsItsParts(t *testing.T) {
	node := server()
	const from, to = 3 * time.Second, 33*time.Second + 7
	sum := node.CPU.Packages[0].Idle.For(to) - node.CPU.Packages[0].Idle.For(from)
	for i := range node.Processes {
		sum += node.PackageDynamic(0, &node.Processes[i], from, to)
	}
	if whole := node.PackageEnergy(0, from, to); whole != sum {
		t.Errorf("package used %d µJ, its parts %d", whole, sum)
	}
}
