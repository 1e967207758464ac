package profile

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: whatever is in a file, it is refused, or is a profile that a run can
// start from and that is the same when written and read again.
func FuzzDecode(f *testing.F) {
	var text bytes.Buffer
	if err := Encode(&text, whole()); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"schema":"greenagent.profile/1","uuid":"GPU-0","driver":"1","counter":{"tick":{"period_s":0.02,"even":true}},"future":{}}`))
	f.Add([]byte(`{"schema":"greenagent.profile/1","uuid":"../x","idle":[{"power_w":1e99}]}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Decode(bytes.NewReader(text))
		if err != nil {
			if d := cmp.Diff(Profile{}, p); d != "" {
				t.Error(d)
			}
			return
		}
		if k := p.Known(); k.CounterTick < 0 || k.CounterTick > slowestTick || k.PowerTick < 0 || k.PowerTick > slowestTick || k.Idle < 0 || k.Idle > mostPower {
			t.Errorf("%+v", k)
		}
		p.Learn(Learnt{Idle: 1}, time.Unix(0, 0))
		if !plain(p.UUID) {
			t.Errorf("%q", p.UUID)
		}
		var out bytes.Buffer
		if err := Encode(&out, p); err != nil {
			t.Skip(err) // a year that RFC 3339 cannot write
		}
		again, err := Decode(&out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if d := cmp.Diff(p, again); d != "" {
			t.Error(d)
		}
	})
}
