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

// Powercap reads the energy counters that Intel and AMD processors keep of
// themselves (RAPL), through /sys/class/powercap. AMD's are under Intel's names.
//
// Zones form a tree (Documentation/power/powercap/powercap.rst): "core" and
// "uncore" are parts of their package and have it as Parent. "dram" is below its
// package in the tree only; the counter of the package does not contain it
// (Intel SDM vol. 3B, "RAPL Domains": DRAM is attached to the socket, beside PKG
// with its PP0 and PP1).
// "psys" is what the board's designer connected to the processor's platform
// input, often the whole node, and no sum of the others.
//
// It must not be used from two goroutines at once.
type Powercap struct {
	clock    energy.Clock
	domains  []Domain
	zones    []zone // parallel to domains
	warnings []error
	buf      [24]byte
}

type zone struct {
	attribute
	wrap  Wrap
	epoch uint32
}

// raplUncertainty is a judgement, not a specification: Intel's counters since
// Haswell measure and were found within a few percent; AMD's are computed from
// activity (Schöne et al., "Energy Efficiency Aspects of the AMD Zen 2
// Architecture", CLUSTER 2021). Memory is the worse of the two everywhere.
const (
	raplUncertainty     = 0.05
	raplDRAMUncertainty = 0.10
)

// raplUpdate is how often the counters move (Intel SDM vol. 3B, "RAPL Domains":
// updated every ~1 ms).
const raplUpdate = time.Millisecond

// OpenPowercap opens the zones below sys (normally "/sys"). What is wrong with
// single zones is in Warnings; it fails with ErrAbsent, ErrPermission or
// ErrMasked if there is not one that can be read.
func OpenPowercap(sys string, clock energy.Clock) (*Powercap, error) {
	class := filepath.Join(sys, "class", "powercap")
	names, err := zoneNames(class)
	if err != nil {
		return nil, err
	}
	p := &Powercap{clock: clock}
	var readable []found
	for _, n := range names {
		if f, err := openZone(n, p.buf[:]); err != nil {
			p.warnings = append(p.warnings, err)
		} else {
			readable = append(readable, f)
		}
	}
	for _, f := range p.withoutDuplicates(readable) {
		p.add(f)
	}
	if len(p.zones) == 0 {
		return nil, fmt.Errorf("RAPL: %w", errors.Join(p.warnings...))
	}
	return p, nil
}

// Domains returns what there is; the caller must not change it.
func (p *Powercap) Domains() []Domain { return p.domains }

// Warnings returns what was wrong with zones that are left out.
func (p *Powercap) Warnings() []error { return p.warnings }

// Close closes the zones. The Powercap must not be used afterwards.
func (p *Powercap) Close() error {
	var errs []error
	for _, z := range p.zones {
		errs = append(errs, z.close())
	}
	p.zones = nil
	return errors.Join(errs...)
}

// Read appends a reading of every zone to dst. Zones that fail are left out,
// and the error says why; the others are there all the same. ErrVanished is a
// reason to open anew.
func (p *Powercap) Read(dst []Reading) ([]Reading, error) {
	var errs []error
	for i := range p.zones {
		z := &p.zones[i]
		raw, before, after, err := look(p.clock, z.attribute, p.buf[:])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r := Reading{Domain: i, Kind: Counter, Before: before, After: after}
		var step Step
		if r.Energy, step = z.wrap.Advance(energy.Energy(raw), r.At()); step == Reset {
			z.epoch++
		}
		r.Epoch = z.epoch
		dst = append(dst, r)
	}
	return dst, errors.Join(errs...)
}

// zoneName is a zone's place: "intel-rapl:0:2" is subzone 2 of zone 0.
type zoneName struct {
	id       string
	dir      string
	control  string // control type: intel-rapl, intel-rapl-mmio
	index    int
	sub      int // NoParent for a zone of the first level
	dangling bool
}

// zoneNames lists RAPL's zones, parents first. Every zone has a link in the
// class directory, subzones too.
func zoneNames(class string) ([]zoneName, error) {
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, fmt.Errorf("RAPL: %w", meaning(err, ErrAbsent))
	}
	var names []zoneName
	for _, e := range entries {
		n, ok := parseZoneName(e.Name())
		if !ok {
			continue
		}
		n.dir = filepath.Join(class, e.Name())
		_, err := os.Stat(n.dir)
		n.dangling = err != nil
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("RAPL: no zones in %s: %w", class, ErrAbsent)
	}
	slices.SortFunc(names, func(a, b zoneName) int {
		return cmp.Or(cmp.Compare(a.control, b.control), cmp.Compare(a.index, b.index), cmp.Compare(a.sub, b.sub))
	})
	return names, nil
}

func parseZoneName(id string) (n zoneName, ok bool) {
	parts := strings.Split(id, ":")
	if len(parts) < 2 || len(parts) > 3 || (parts[0] != "intel-rapl" && parts[0] != "intel-rapl-mmio") {
		return n, false
	}
	n = zoneName{id: id, control: parts[0], sub: NoParent}
	for i, field := range []*int{&n.index, &n.sub}[:len(parts)-1] {
		v, err := strconv.ParseUint(parts[i+1], 10, 31)
		if err != nil {
			return n, false
		}
		*field = int(v)
	}
	return n, true
}

// found is a zone that can be read.
type found struct {
	zoneName
	name string // its name attribute: package-0, dram
	full string // with its parent's: package-0/dram
	zone
	first energy.Energy
}

func openZone(n zoneName, buf []byte) (f found, err error) {
	f = found{zoneName: n, name: readText(filepath.Join(n.dir, "name"))}
	if n.dangling || (f.name == "" && isEmpty(n.dir)) {
		return f, fmt.Errorf("%s: %w", n.dir, ErrMasked)
	}
	f.full = f.name
	if !f.parentless() {
		f.full = readText(filepath.Join(filepath.Dir(n.dir), n.parent(), "name")) + "/" + f.name
	}
	if f.attribute, err = openAttribute(filepath.Join(n.dir, "energy_uj")); err != nil {
		return f, err
	}
	first, err := f.attribute.read(buf)
	if err != nil {
		_ = f.close() // read-only, and err says more
		return f, err
	}
	f.first = energy.Energy(first)
	turn, _ := readNumber(filepath.Join(n.dir, "max_energy_range_uj"))
	f.wrap = Wrap{Range: energy.Energy(turn), Limit: ceiling(n.dir, f.name)}
	return f, nil
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// ceiling returns more than a zone can draw: twice what the processor says of
// itself, as turbo goes beyond, and otherwise what no product reaches.
func ceiling(dir, name string) energy.Power {
	var most energy.Power
	for i := range 3 {
		v, _ := readNumber(filepath.Join(dir, "constraint_"+strconv.Itoa(i)+"_max_power_uw"))
		most = max(most, energy.Power(min(v, int64(100*energy.Kilowatt))))
	}
	switch {
	case name == "psys":
		return 20 * energy.Kilowatt
	case most == 0:
		return energy.Kilowatt
	}
	return max(2*most, 100*energy.Watt)
}

// withoutDuplicates leaves out what is another view of the same counter:
// zones of intel-rapl-mmio that intel-rapl has as well, and all but the first
// of the dies of an AMD socket. The kernel makes a zone for every die, and the
// dies of Zen processors answer with the counter of their socket. Parts of what
// is left out, or cannot be read, go with it.
func (p *Powercap) withoutDuplicates(zones []found) []found {
	kept := zones[:0]
	for _, z := range zones {
		duplicate := slices.ContainsFunc(kept, func(k found) bool {
			return (k.control != z.control && k.full == z.full) || p.sameCounter(&k, &z)
		})
		orphan := !z.parentless() && z.name != "dram" && !slices.ContainsFunc(kept, z.isChildOf)
		if duplicate || orphan {
			_ = z.close() // read-only: nothing can be lost
			continue
		}
		kept = append(kept, z)
	}
	return kept
}

func (n *zoneName) parentless() bool { return n.sub == NoParent }

// parent returns the id of the zone that a subzone is in.
func (n *zoneName) parent() string { return n.control + ":" + strconv.Itoa(n.index) }

func (f *found) isChildOf(other found) bool { return other.id == f.parent() }

// sameCounter reports whether two dies of one socket show one counter: the
// other's value lies between two of the one's, or is late by no more than a few
// ticks of it. Two counters of their own, somewhere in 65 kJ or more, agree
// that closely once in some ten thousand starts.
func (p *Powercap) sameCounter(a, b *found) bool {
	socket, _, ok := strings.Cut(a.name, "-die-")
	if !ok || !a.parentless() || !b.parentless() || !strings.HasPrefix(b.name, socket+"-die-") || a.first == 0 {
		return false
	}
	const late = energy.Joule
	again, err := a.attribute.read(p.buf[:])
	return err == nil && b.first >= a.first-late && b.first <= energy.Energy(again)+late
}

// add makes a domain of a zone whose parent, if any, has been added before.
func (p *Powercap) add(f found) {
	d := Domain{
		ID: f.id, Name: f.full, Type: CPU, Parent: NoParent, Kind: Counter, Basis: energy.Counted,
		Uncertainty: raplUncertainty, Longest: f.wrap.Longest(), Resolution: raplUpdate,
	}
	switch {
	case f.name == "dram":
		d.Type, d.Uncertainty = Memory, raplDRAMUncertainty
	case f.name == "psys" && f.parentless():
		d.Type = Host
		d.Note = "psys covers what the board's designer connected to it, which need not be the whole node"
	case strings.HasPrefix(f.name, "package-") && f.parentless():
	case f.name == "core", f.name == "uncore":
		d.Parent = slices.IndexFunc(p.domains, func(d Domain) bool { return d.ID == f.parent() })
	}
	if d.Type == CPU && d.Parent == NoParent && !strings.HasPrefix(f.name, "package-") {
		_ = f.close() // read-only: nothing can be lost
		p.warnings = append(p.warnings, fmt.Errorf("%s: zone %.40q is none that RAPL is known to have", f.dir, f.full))
		return
	}
	p.domains = append(p.domains, d)
	p.zones = append(p.zones, f.zone)
}
