package collector_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"greenagent/collector"
	"greenagent/energy"
)

// kinds are the domains that differ in how their readings are taken.
func kinds() []collector.Domain {
	const limit = 400 * energy.Watt
	return []collector.Domain{
		{ID: "ticking", Basis: energy.Counted, Counter: true, Limit: limit, Tick: 100 * ms, Window: 0.25},
		{ID: "fresh", Basis: energy.Counted, Counter: true, Fresh: true, Limit: limit, Resolution: ms, Window: 1},
		{ID: "gauge", Basis: energy.Integrated, Limit: limit, Window: 1},
		{ID: "ticking gauge", Basis: energy.Integrated, Limit: limit, Tick: 20 * ms, Window: 0.5},
		{ID: "lagging gauge", Basis: energy.Integrated, Limit: limit, Tick: 100 * ms, Window: 1, Lag: 100 * ms},
		{ID: "no limit", Basis: energy.Counted, Counter: true},
		{ID: "average", Basis: energy.Integrated, Limit: limit, Average: time.Second, Tick: 100 * ms, Window: 1},
		{ID: "calibrated", Basis: energy.Counted, Counter: true, Limit: limit, Tick: 100 * ms, Window: 1, CounterTick: 20 * ms,
			Calibration: collector.Calibration{Gain: 0.9, Offset: -20 * energy.Watt, Uncertainty: 0.01}},
	}
}

// watcher checks an integrator after each step: its curve never falls, never
// changes where it was settled, and holds no more than the hardware could draw.
type watcher struct {
	t       *testing.T
	g       *collector.Integrator
	limit   energy.Power
	first   energy.Instant
	settled energy.Instant
	values  map[energy.Instant]energy.Energy
}

func newWatcher(t *testing.T, d collector.Domain, from energy.Instant) *watcher {
	limit := d.Limit
	if limit == 0 {
		limit = 100 * energy.Kilowatt
	}
	return &watcher{t: t, g: collector.NewIntegrator(d, from), limit: limit, values: map[energy.Instant]energy.Energy{}}
}

func (w *watcher) check(now energy.Instant) {
	w.t.Helper()
	curve := w.g.Curve()
	if curve.Empty() {
		return
	}
	span := curve.Span()
	if span.End < w.settled {
		w.t.Fatalf("the curve went back from %d to %d", w.settled, span.End)
	}
	for i, e := range w.values {
		if i >= span.Start && curve.At(i) != e {
			w.t.Fatalf("the energy at %d was %d µJ and is now %d µJ", i, e, curve.At(i))
		}
	}
	for _, i := range []energy.Instant{span.Start, w.settled, span.Start + (span.End-span.Start)/3, span.End} {
		if i >= span.Start && i <= span.End {
			w.values[i] = curve.At(i)
		}
	}
	w.settled = span.End
	total := curve.At(span.End)
	// One tick may have been pending at the first reading, one at the last; a lag
	// holds back a time constant's worth.
	most := float64(w.limit.For(max(now, span.End).Sub(min(w.first, span.Start)) + 400*ms))
	if total < 0 || float64(total) > 1.5*most+1 {
		w.t.Fatalf("%v in %v of at most %v", total, now.Sub(w.first), w.limit)
	}
}

func (w *watcher) add(r collector.Reading) {
	if w.first == 0 {
		w.first = r.At
	}
	w.g.Add(r)
	w.check(r.At)
}

// FuzzIntegrator feeds readings made of bytes: values of any size, times that
// stand still and go back, epochs that change, quantities that come and go.
func FuzzIntegrator(f *testing.F) {
	seed := func(kind byte, records ...[]byte) {
		all := []byte{kind}
		for _, r := range records {
			all = append(all, r...)
		}
		f.Add(all)
	}
	record := func(step int16, has, epoch byte, counter int64, power int32) []byte {
		b := binary.LittleEndian.AppendUint16(nil, uint16(step))
		b = append(b, has, epoch)
		b = binary.LittleEndian.AppendUint64(b, uint64(counter))
		return binary.LittleEndian.AppendUint32(b, uint32(power))
	}
	for kind := range byte(len(kinds())) {
		var steady, wild [][]byte
		for i := range int64(40) {
			steady = append(steady, record(45, 7, 0, i*9000, 200))
			wild = append(wild, record(int16(i*7919%200-40), byte(i*31%8), byte(i/13), i*i*i*7907%400000, int32(i*7927%900)))
		}
		seed(kind, steady...)
		seed(kind, wild...)
		seed(kind, record(1, 1, 0, 1<<62, -1), record(1, 1, 0, -1, 0), record(1, 2, 0, 0, -1<<31))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		domain := kinds()[int(data[0])%len(kinds())]
		w := newWatcher(t, domain, at(0))
		now := at(0)
		data = data[1:]
		for range min(len(data)/16, 300) {
			b := data[:16]
			data = data[16:]
			now += energy.Instant(time.Duration(int16(binary.LittleEndian.Uint16(b))) * ms)
			counter := int64(binary.LittleEndian.Uint64(b[4:]))
			if counter > -1<<40 && counter < 1<<40 {
				counter *= int64(energy.Millijoule)
			}
			w.add(collector.Reading{
				At: now, Has: collector.Quantity(b[2] & 7), Epoch: uint32(b[3]), Spread: time.Duration(b[3]) * time.Microsecond,
				Counter: energy.Energy(counter),
				Power:   energy.Power(int32(binary.LittleEndian.Uint32(b[12:]))) * energy.Watt,
				Average: energy.Power(b[12]) * energy.Watt,
			})
		}
		end := max(now, w.settled, at(0)+1)
		w.g.Finish(end)
		w.check(end)
		v := energy.Interval{Start: at(0), End: end}
		e := w.g.Curve().Energy(v)
		if u := w.g.Uncertainty(e, end); !(u.Variance >= 0 && u.Systematic >= 0) || math.IsInf(u.Variance+u.Systematic, 0) {
			t.Fatalf("an uncertainty of %+v", u)
		}
		if unobserved := w.g.Unobserved(); unobserved < 0 || unobserved > end.Sub(at(0)) {
			t.Fatalf("%v unobserved of %v", unobserved, end.Sub(at(0)))
		}
	})
}
