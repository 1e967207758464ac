package host

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"greenagent/energy"
)

// tree is a /sys or /proc of our own making.
type tree struct {
	tb   testing.TB
	root string
}

func newTree(tb testing.TB) tree { return tree{tb, tb.TempDir()} }

func (t tree) write(name, content string) {
	t.tb.Helper()
	path := filepath.Join(t.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.tb.Fatal(err)
	}
	// In place, as the kernel changes what an open file shows.
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.tb.Fatal(err)
	}
}

func (t tree) remove(name string) {
	t.tb.Helper()
	if err := os.RemoveAll(filepath.Join(t.root, name)); err != nil {
		t.tb.Fatal(err)
	}
}

// zone makes a powercap zone as the class directory shows it.
func (t tree) zone(id, name string, uj, turn int64) {
	t.tb.Helper()
	dir := "class/powercap/" + id + "/"
	t.write(dir+"name", name+"\n")
	t.write(dir+"energy_uj", strconv.FormatInt(uj, 10)+"\n")
	t.write(dir+"max_energy_range_uj", strconv.FormatInt(turn, 10)+"\n")
}

func (t tree) setZone(id string, uj int64) {
	t.tb.Helper()
	t.write("class/powercap/"+id+"/energy_uj", strconv.FormatInt(uj, 10)+"\n")
}

// clock ticks a microsecond whenever it is looked at.
type clock struct{ now energy.Instant }

func (c *clock) Now() energy.Instant {
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// summary is what tests compare of a domain.
type summary struct {
	ID, Name string
	Type     Type
	Parent   int
}

func summaries(domains []Domain) []summary {
	var s []summary
	for _, d := range domains {
		s = append(s, summary{d.ID, d.Name, d.Type, d.Parent})
	}
	return s
}
