package host

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"greenagent/energy"
)

// Hwmon reads the power meters and energy counters of /sys/class/hwmon
// (Documentation/hwmon/sysfs-interface.rst): those of NVIDIA Grace, of ACPI
// platforms, and AMD's amd_energy. Every board has other sensors too, regulators
// and graphics cards among them: what is not known to be a CPU, a module or a
// node is listed as Unknown and not read.
//
// An ACPI meter is read through firmware, which may take milliseconds.
//
// It must not be used from two goroutines at once.
type Hwmon struct {
	clock    energy.Clock
	domains  []Domain
	sensors  []sensor
	warnings []error
	buf      [24]byte
}

type sensor struct {
	attribute
	domain int
}

// What a meter on a node's input or on a rail is good for is in no driver's
// documentation: a judgement.
const hwmonUncertainty = 0.05

// mostPower is beyond any node: what a meter says above it is an error code,
// such as the 2^32−1 mW of ACPI's "unknown".
const mostPower = 100 * energy.Kilowatt

// OpenHwmon opens the sensors below sys (normally "/sys"). What is wrong with
// single sensors is in Warnings. It fails with ErrAbsent if there is none that
// could be placed, with ErrPermission if those cannot be read.
func OpenHwmon(sys string, clock energy.Clock) (*Hwmon, error) {
	h := &Hwmon{clock: clock}
	class := filepath.Join(sys, "class", "hwmon")
	chips, err := os.ReadDir(class)
	if err != nil {
		return nil, fmt.Errorf("hwmon: %w", meaning(err, ErrAbsent))
	}
	var meters []meter
	for _, chip := range chips {
		// Attributes stand with the chip, and with its device where the
		// driver is older than the class (acpi_power_meter).
		for _, dir := range []string{chip.Name(), filepath.Join(chip.Name(), "device")} {
			meters = append(meters, metersIn(class, dir)...)
		}
	}
	slices.SortFunc(meters, func(a, b meter) int {
		return cmp.Or(a.rail.compare(b.rail), cmp.Compare(a.number, b.number), cmp.Compare(a.id, b.id))
	})
	onlyOneUnlabelled(meters)
	for _, m := range meters {
		h.add(m)
	}
	if len(h.sensors) == 0 {
		if len(h.warnings) > 0 {
			return nil, fmt.Errorf("hwmon: %w", errors.Join(h.warnings...))
		}
		return nil, fmt.Errorf("hwmon: no power meter of a CPU or a node in %s: %w", class, ErrAbsent)
	}
	return h, nil
}

// Domains returns what there is, sensors that nobody could place included; the
// caller must not change it.
func (h *Hwmon) Domains() []Domain { return h.domains }

// Warnings returns what was wrong with sensors that are left out.
func (h *Hwmon) Warnings() []error { return h.warnings }

// Close closes the sensors. The Hwmon must not be used afterwards.
func (h *Hwmon) Close() error {
	var errs []error
	for _, s := range h.sensors {
		errs = append(errs, s.close())
	}
	h.sensors = nil
	return errors.Join(errs...)
}

// Read appends a reading of every domain that is not Unknown to dst. Sensors
// that fail are left out, and the error says why; the others are there all the
// same.
func (h *Hwmon) Read(dst []Reading) ([]Reading, error) {
	var errs []error
	for i := range h.sensors {
		s := &h.sensors[i]
		d := &h.domains[s.domain]
		v, before, after, err := look(h.clock, s.attribute, h.buf[:])
		r := Reading{Domain: s.domain, Kind: d.Kind, Before: before, After: after}
		switch {
		case err != nil:
		case d.Kind == Counter:
			r.Energy = energy.Energy(v)
		case energy.Power(v) > mostPower:
			err = fmt.Errorf("%s: %w: %d W", s.path, ErrMalformed, v/int64(energy.Watt))
		default:
			r.Power = energy.Power(v)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		dst = append(dst, r)
	}
	return dst, errors.Join(errs...)
}

// meter is a sensor of power or energy as found.
type meter struct {
	id     string // "hwmon3/power1"
	path   string // of the value
	driver string
	label  string
	kind   Kind
	rail   rail
	number int // of the socket
	window time.Duration
}

// metersIn lists the meters of one directory below class.
func metersIn(class, dir string) []meter {
	entries, err := os.ReadDir(filepath.Join(class, dir))
	if err != nil {
		return nil // no such device
	}
	driver := readText(filepath.Join(class, dir, "name"))
	if driver == "" {
		driver = readText(filepath.Join(class, filepath.Dir(dir), "name"))
	}
	present := make(map[string]bool, len(entries))
	for _, e := range entries {
		present[e.Name()] = true
	}
	var meters []meter
	for _, e := range entries {
		base, value, _ := strings.Cut(e.Name(), "_")
		m := meter{id: filepath.Join(dir, base), path: filepath.Join(class, dir, e.Name()), driver: driver}
		switch {
		case isNumbered(base, "power") && value == "average":
			m.kind = Gauge
		case isNumbered(base, "power") && value == "input" && !present[base+"_average"]:
			m.kind = Gauge
		case isNumbered(base, "energy") && value == "input":
			m.kind = Counter
		default:
			continue
		}
		prefix := filepath.Join(class, dir, base)
		// ACPI's description of what is measured is called oem_info.
		m.label = cmp.Or(readText(prefix+"_label"), readText(prefix+"_oem_info"))
		if ms, ok := readNumber(prefix + "_average_interval"); ok && m.kind == Gauge {
			m.window = time.Duration(min(ms, int64(time.Hour/time.Millisecond))) * time.Millisecond
		}
		if battery, _ := readNumber(prefix + "_is_battery"); battery == 0 {
			m.rail, m.number = place(m.driver, m.label, m.kind)
		}
		meters = append(meters, m)
	}
	return meters
}

func isNumbered(s, word string) bool {
	number, ok := strings.CutPrefix(s, word)
	_, err := strconv.ParseUint(number, 10, 16)
	return ok && err == nil
}

// rail is a place in a node that is metered. Rails come before those they
// contain.
type rail struct {
	typ Type
	// in is the word in the label of the rail of the same type and socket
	// that contains this one.
	word, in string
	includes Type
	note     string
}

func (r rail) compare(s rail) int {
	depth := func(r rail) int {
		switch {
		case r.typ == Unknown:
			return 2
		case r.in != "":
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(depth(r), depth(s)), cmp.Compare(r.word, s.word))
}

// grace lists the rails of NVIDIA's Grace and Grace Hopper, which are labelled
// "<word> Power Socket <n>" (NVIDIA Grace Performance Tuning Guide, "Power
// Telemetry"). The module contains the GPU, the Grace rail the CPU's memory.
var grace = [...]rail{
	{typ: Module, word: "module", note: "CPU, GPU, their memory and the regulators' losses"},
	{typ: CPU, word: "grace", includes: Memory, note: "the CPU with its LPDDR5X memory"},
	{typ: CPU, word: "cpu", in: "grace", note: "the cores"},
	{typ: CPU, word: "sysio", in: "grace", note: "the system-on-chip"},
}

// unlabelled is an ACPI meter that does not say what it measures; ACPI 6.5,
// 10.4, has it for the platform's input where it lists no devices.
const unlabelled = "unlabelled"

// place says which rail a meter is on, and of which socket.
func place(driver, label string, kind Kind) (rail, int) {
	label = strings.ToLower(label)
	if word, socket, ok := strings.Cut(label, " power socket "); ok && kind == Gauge {
		n, err := strconv.ParseUint(socket, 10, 16)
		for _, r := range grace {
			if r.word == word && err == nil {
				return r, int(n)
			}
		}
	}
	switch {
	case driver == "power_meter" && label == "" && kind == Gauge:
		return rail{typ: Host, word: unlabelled, note: "an ACPI meter that does not say what it measures, taken for the node's input"}, 0
	case driver == "amd_energy" && kind == Counter:
		// Documentation/hwmon/amd_energy: Esocket<n> and Ecore<n>.
		if n, err := strconv.ParseUint(strings.TrimPrefix(label, "esocket"), 10, 16); err == nil {
			return rail{typ: CPU, word: "esocket"}, int(n)
		}
	}
	return rail{}, 0
}

// onlyOneUnlabelled gives up on meters without labels where there are two: one
// may be part of the other, or a second power supply.
func onlyOneUnlabelled(meters []meter) {
	n := 0
	for _, m := range meters {
		if m.rail.word == unlabelled {
			n++
		}
	}
	for i := range meters {
		if n > 1 && meters[i].rail.word == unlabelled {
			meters[i].rail = rail{}
		}
	}
}

func (h *Hwmon) add(m meter) {
	d := Domain{
		ID: m.id, Name: strings.TrimSpace(m.driver + " " + m.label), Type: m.rail.typ, Parent: NoParent, Includes: m.rail.includes,
		Kind: m.kind, Basis: energy.Integrated, Window: m.window, Uncertainty: hwmonUncertainty, Note: m.rail.note,
	}
	if m.kind == Counter {
		d.Basis = energy.Counted
	}
	if d.Type != Unknown {
		a, err := openAttribute(m.path)
		if err == nil {
			if _, err = a.read(h.buf[:]); err != nil {
				_ = a.close() // read-only, and err says more
			}
		}
		if err != nil {
			h.warnings = append(h.warnings, err)
			return
		}
		d.Parent = h.indexOf(m.rail.in, m.number)
		h.sensors = append(h.sensors, sensor{a, len(h.domains)})
	}
	h.domains = append(h.domains, d)
}

// indexOf finds the domain of a Grace rail by its label.
func (h *Hwmon) indexOf(word string, socket int) int {
	label := word + " power socket " + strconv.Itoa(socket)
	return slices.IndexFunc(h.domains, func(d Domain) bool {
		return word != "" && strings.HasSuffix(strings.ToLower(d.Name), label)
	})
}
