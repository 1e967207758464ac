package host

import (
	"strings"
	"testing"

	"greenagent/energy"
)

func TestFindProcessor(t *testing.T) {
	for name, want := range map[string]processor{
		"AMD EPYC 7763 64-Core Processor":                {"EPYC 7763", 280 * energy.Watt, 128},
		"AMD EPYC 9654 96-Core Processor":                {"EPYC 9654", 360 * energy.Watt, 192},
		"AMD EPYC 7702P 64-Core Processor":               {"EPYC 7702P", 200 * energy.Watt, 128},
		"Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz":       {"Xeon Gold 6338", 205 * energy.Watt, 64},
		"Intel(R) Xeon(R) Platinum 8480+":                {"Xeon Platinum 8480+", 350 * energy.Watt, 112},
		"INTEL(R) XEON(R) PLATINUM 8592+":                {"Xeon Platinum 8592+", 350 * energy.Watt, 128},
		"Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz":      {"Xeon E5-2690 v4", 135 * energy.Watt, 28},
		"Intel(R) Xeon(R) CPU Max 9480":                  {"Xeon Max 9480", 350 * energy.Watt, 112},
		"Intel(R) Xeon(R) 6980P":                         {"Xeon 6980P", 500 * energy.Watt, 256},
		"13th Gen Intel(R) Core(TM) i9-13900K":           {"Core i9-13900K", 125 * energy.Watt, 32},
		"AMD Ryzen 9 7950X 16-Core Processor":            {"Ryzen 9 7950X", 170 * energy.Watt, 32},
		"AMD Ryzen 7 1700 Eight-Core Processor":          {"Ryzen 7 1700", 65 * energy.Watt, 16},
		"AMD Ryzen Threadripper PRO 5995WX 64-Cores":     {"Ryzen Threadripper PRO 5995WX", 280 * energy.Watt, 128},
		"AMD Ryzen Threadripper 3990X 64-Core Processor": {"Ryzen Threadripper 3990X", 280 * energy.Watt, 128},
	} {
		if got, ok := findProcessor(name); !ok || got != want {
			t.Errorf("%q is a %+v, %t", name, got, ok)
		}
	}
	for _, name := range []string{
		"", "AMD EPYC", "Intel(R) Xeon(R) CPU @ 2.20GHz", "Intel Xeon Processor (Skylake, IBRS)", "Neoverse-N1",
		"Intel(R) Xeon(R) Gold 6338T CPU @ 2.10GHz", "EPYC", "AMD EPYC-Rome Processor", "Gold 6338", strings.Repeat("EPYC ", 10000),
	} {
		if got, ok := findProcessor(name); ok {
			t.Errorf("%q is a %+v", name, got)
		}
	}
}

// Each row must be found by its own name, or it is of no use or hidden by one
// before it.
func TestTDPTable(t *testing.T) {
	n := 0
	rows(tdpTable, 5, func(row []string) bool {
		n++
		p, ok := findProcessor("Intel(R) " + row[0] + " CPU @ 1.00GHz")
		if !ok || p.model != row[0] {
			t.Errorf("%s is found as %+v, %t", row[0], p, ok)
		}
		// No processor is beyond these, per package and per thread.
		if p.tdp < 35*energy.Watt || p.tdp > 500*energy.Watt || p.threads < 4 || p.threads > 384 ||
			p.tdp/energy.Power(p.threads) < energy.Watt || p.tdp/energy.Power(p.threads) > 30*energy.Watt {
			t.Errorf("implausible: %v", row)
		}
		if len(row[3]) != 4 || row[3] < "2012" || row[3] > "2026" || row[4] != "Intel" && row[4] != "AMD" {
			t.Errorf("year or source: %v", row)
		}
		return true
	})
	if lines := strings.Count(tdpTable, "\n") - 1; n != lines || n < 80 {
		t.Errorf("%d rows are read of %d", n, lines)
	}
}

func TestFindArchitecture(t *testing.T) {
	for want, f := range map[string]Facts{
		"EPYC 4th generation": {Vendor: "AuthenticAMD", Family: 25, Model: 17, Stepping: 1},
		"Skylake":             {Vendor: "GenuineIntel", Family: 6, Model: 85, Stepping: 4},
		"Cascade Lake":        {Vendor: "GenuineIntel", Family: 6, Model: 85, Stepping: 7},
		"":                    {Vendor: "ARM", Family: -1, Model: 0xd0c},
	} {
		if a, ok := findArchitecture(&f); a.name != want || ok != (want != "") {
			t.Errorf("%+v is a %+v, %t; want %q", f, a, ok, want)
		}
	}
	n := 0
	rows(architectureTable, 7, func(row []string) bool {
		n++
		f := Facts{Vendor: row[1], Family: number(row[2]), Model: number(row[3]), Stepping: number(row[4])}
		a, ok := findArchitecture(&f)
		if !ok || a.name != row[0] || a.idle <= 0 || a.full <= a.idle || a.full > 10*energy.Watt {
			t.Errorf("%v is %+v, %t", row, a, ok)
		}
		return true
	})
	if n != strings.Count(architectureTable, "\n")-1 {
		t.Errorf("%d rows are read", n)
	}
}

func FuzzFindProcessor(f *testing.F) {
	f.Add("AMD EPYC 7763 64-Core Processor")
	f.Add("@ (R)")
	f.Fuzz(func(t *testing.T, name string) {
		if p, ok := findProcessor(name); ok && (p.tdp <= 0 || p.threads <= 0) {
			t.Errorf("%q is a %+v", name, p)
		}
	})
}

// What a user waits for when nothing can be read: well below a millisecond.
func BenchmarkFindProcessor(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := findProcessor("a processor that no table has, found at the end"); ok {
			b.Fatal("found")
		}
	}
}
