package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/energy"
)

// acpiMeter makes a meter as acpi_power_meter shows it: below the device.
func (t tree) acpiMeter(n int, label, microwatts string) {
	t.tb.Helper()
	chip := fmt.Sprintf("class/hwmon/hwmon%d/", n)
	t.write(chip+"name", "power_meter\n")
	t.write(chip+"device/power1_average", microwatts+"\n")
	t.write(chip+"device/power1_average_interval", "50\n")
	t.write(chip+"device/power1_oem_info", label+"\n")
	t.write(chip+"device/power1_is_battery", "0\n")
}

// graceHopper has the rails of a GH200, in no particular order, and a drive.
func graceHopper(tb testing.TB) tree {
	sys := newTree(tb)
	sys.acpiMeter(1, "CPU Power Socket 0", "48000000")
	sys.acpiMeter(2, "SysIO Power Socket 0", "20000000")
	sys.acpiMeter(3, "Module Power Socket 0", "250000000")
	sys.acpiMeter(4, "Grace Power Socket 0", "94000000")
	sys.write("class/hwmon/hwmon5/name", "nvme\n")
	sys.write("class/hwmon/hwmon5/temp1_input", "40000\n")
	sys.write("class/hwmon/hwmon6/name", "amdgpu\n")
	sys.write("class/hwmon/hwmon6/power1_average", "33000000\n")
	sys.write("class/hwmon/hwmon6/power1_label", "PPT\n")
	return sys
}

func TestHwmonGrace(t *testing.T) {
	h, err := OpenHwmon(graceHopper(t).root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want := []summary{
		{"hwmon4/device/power1", "power_meter Grace Power Socket 0", CPU, NoParent},
		{"hwmon3/device/power1", "power_meter Module Power Socket 0", Module, NoParent},
		{"hwmon1/device/power1", "power_meter CPU Power Socket 0", CPU, 0},
		{"hwmon2/device/power1", "power_meter SysIO Power Socket 0", CPU, 0},
		{"hwmon6/power1", "amdgpu PPT", Unknown, NoParent},
	}
	if diff := cmp.Diff(want, summaries(h.Domains())); diff != "" {
		t.Error(diff)
	}
	for i, d := range h.Domains() {
		if want := map[bool]Type{true: Memory, false: Unknown}[i == 0]; d.Includes != want {
			t.Errorf("%s includes %v, want %v", d.Name, d.Includes, want)
		}
	}
	got, err := h.Read(nil)
	if err != nil || len(got) != 4 {
		t.Fatal(got, err)
	}
	sum := map[Type]energy.Power{}
	for _, r := range got {
		d := h.Domains()[r.Domain]
		if r.Kind != Gauge || d.Kind != Gauge || d.Basis != energy.Integrated || d.Window != 50*time.Millisecond || r.Before >= r.After {
			t.Errorf("%+v of %+v", r, d)
		}
		if d.Additive() {
			sum[d.Type] += r.Power
		}
	}
	if sum[CPU] != 94*energy.Watt || sum[Module] != 250*energy.Watt {
		t.Errorf("sums %v", sum)
	}
}

// Without the rail of the whole, its parts are what there is to add.
func TestHwmonGracePartsAlone(t *testing.T) {
	sys := newTree(t)
	for i, label := range []string{"CPU Power Socket 0", "SysIO Power Socket 0", "CPU Power Socket 1", "Grace Power Socket 1"} {
		sys.acpiMeter(i, label, "10000000")
	}
	h, err := OpenHwmon(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	additive := 0
	for _, d := range h.Domains() {
		if d.Additive() {
			additive++
		}
		if d.Parent != NoParent && !strings.HasSuffix(d.Name, "Socket 1") {
			t.Errorf("%s has a parent of another socket", d.Name)
		}
	}
	if additive != 3 {
		t.Errorf("%d of %v can be added", additive, summaries(h.Domains()))
	}
}

func TestHwmonNode(t *testing.T) {
	sys := newTree(t)
	sys.acpiMeter(0, "", "412000000")
	h, err := OpenHwmon(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	if d := h.Domains()[0]; d.Type != Host || d.Note == "" {
		t.Errorf("%+v", d)
	}
	_ = h.Close()
	sys.acpiMeter(1, "", "411000000") // is one a part of the other?
	if _, err := OpenHwmon(sys.root, &clock{}); !errors.Is(err, ErrAbsent) {
		t.Errorf("two meters without labels: %v", err)
	}
	sys.remove("class/hwmon/hwmon1")
	sys.write("class/hwmon/hwmon0/device/power1_is_battery", "1\n")
	if _, err := OpenHwmon(sys.root, &clock{}); !errors.Is(err, ErrAbsent) {
		t.Errorf("a battery: %v", err)
	}
}

func TestHwmonAMD(t *testing.T) {
	sys := newTree(t)
	sys.write("class/hwmon/hwmon2/name", "amd_energy\n")
	for i, label := range []string{"Ecore000", "Ecore001", "Esocket0", "Esocket1"} {
		sys.write(fmt.Sprintf("class/hwmon/hwmon2/energy%d_input", i+1), fmt.Sprint(1000*(i+1)))
		sys.write(fmt.Sprintf("class/hwmon/hwmon2/energy%d_label", i+1), label+"\n")
	}
	h, err := OpenHwmon(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	got, err := h.Read(nil)
	if err != nil || len(got) != 2 || got[0].Kind != Counter || got[0].Energy != 3000 || got[1].Energy != 4000 {
		t.Errorf("%+v, %v", got, err)
	}
	if d := h.Domains()[got[0].Domain]; d.Basis != energy.Counted || d.Type != CPU || d.Name != "amd_energy Esocket0" {
		t.Errorf("%+v", d)
	}
	if len(h.Domains()) != 4 {
		t.Errorf("cores are not listed: %v", summaries(h.Domains()))
	}
}

func TestHwmonPrefersAverages(t *testing.T) {
	sys := newTree(t)
	sys.write("class/hwmon/hwmon0/name", "power_meter")
	sys.write("class/hwmon/hwmon0/power1_input", "99000000")
	sys.write("class/hwmon/hwmon0/power1_average", "50000000")
	h, err := OpenHwmon(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got, err := h.Read(nil); err != nil || len(got) != 1 || got[0].Power != 50*energy.Watt {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHwmonFaults(t *testing.T) {
	if _, err := OpenHwmon(t.TempDir(), &clock{}); !errors.Is(err, ErrAbsent) {
		t.Errorf("no class: %v", err)
	}
	sys := graceHopper(t)
	h, err := OpenHwmon(sys.root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, bad := range []string{"", "-1\n", "many\n", "4294967295000\n", "9223372036854775807\n"} {
		sys.write("class/hwmon/hwmon4/device/power1_average", bad)
		got, err := h.Read(nil)
		if !errors.Is(err, ErrMalformed) || len(got) != 3 {
			t.Errorf("%q: %d readings, %v", bad, len(got), err)
		}
	}
	// What is broken at the start is left out, and said.
	again, err := OpenHwmon(sys.root, &clock{})
	if err != nil || len(again.Warnings()) != 0 {
		t.Errorf("a meter that says too much: %v", err)
	} else {
		_ = again.Close()
	}
	sys.write("class/hwmon/hwmon4/device/power1_average", "broken")
	again, err = OpenHwmon(sys.root, &clock{})
	if err != nil || len(again.Warnings()) != 1 || !errors.Is(again.Warnings()[0], ErrMalformed) {
		t.Fatalf("warnings %v, %v", again.Warnings(), err)
	}
	_ = again.Close()
}

func TestHwmonPermission(t *testing.T) {
	sys := newTree(t)
	sys.acpiMeter(0, "Grace Power Socket 0", "1")
	openToAll(t, sys.root)
	if err := os.Chmod(filepath.Join(sys.root, "class/hwmon/hwmon0/device/power1_average"), 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if _, err := OpenHwmon(sys.root, &clock{}); !errors.Is(err, ErrPermission) {
			t.Errorf("%v", err)
		}
	})
}

func TestHwmonReadAllocatesNothing(t *testing.T) {
	h, err := OpenHwmon(graceHopper(t).root, &clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	dst := make([]Reading, 0, 4)
	if n := testing.AllocsPerRun(100, func() {
		if got, err := h.Read(dst[:0]); err != nil || len(got) != 4 {
			t.Fatal(got, err)
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("power_meter", "Grace Power Socket 0", true)
	f.Add("amd_energy", "Esocket1", false)
	f.Add("power_meter", " Power Socket ", true)
	f.Fuzz(func(t *testing.T, driver, label string, gauge bool) {
		kind := Counter
		if gauge {
			kind = Gauge
		}
		if r, n := place(driver, label, kind); n < 0 || (r.typ == Unknown) != (r.word == "") {
			t.Errorf("%q, %q: %+v, %d", driver, label, r, n)
		}
	})
}

func BenchmarkHwmonRead(b *testing.B) {
	h, err := OpenHwmon(graceHopper(b).root, &clock{})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	dst := make([]Reading, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Read(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
