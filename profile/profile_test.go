package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/collector"
	"greenagent/energy"
)

const (
	ms     = time.Millisecond
	uuid   = "GPU-00000000-1111-2222-3333-444444444444"
	driver = "570.124.06"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// whole is a profile in which nothing is missing.
func whole() Profile {
	p := New(uuid, driver, "NVIDIA H100 80GB HBM3", "Hopper", monday)
	tick := func(d time.Duration) *Tick {
		return TickOf(collector.Tempo{Period: d, Within: 5 * time.Microsecond, Seen: 99, Median: d, Spread: ms, Jitter: ms / 2, Even: true})
	}
	p.Characterised = &Observation{At: monday, For: energy.Seconds(10 * time.Second), Looks: 4800, Apart: energy.Seconds(2 * ms)}
	p.Counter = &Counter{Tick: tick(100 * ms), Step: ptr(energy.Millijoule)}
	p.Power = &Power{Field: "instant", Scope: "gpu", Tick: tick(50 * ms), Window: ptr(energy.Seconds(25 * ms)), Source: SourceTable}
	p.Average = &Power{Field: "average", Scope: "gpu", Tick: tick(100 * ms), Window: ptr(energy.Seconds(time.Second)), Source: SourceMeasured, WindowWithin: ptr(energy.Seconds(60 * ms))}
	p.Ring = &Ring{Length: 120, Every: ptr(energy.Seconds(100 * ms)), Clock: ClockEpoch}
	p.Activity = &Activity{Every: ptr(energy.Seconds(139 * ms))}
	p.Processes, p.Instances, p.CrossCheck = ptr(true), ptr(0), ptr(1.002)
	p.Idle = []Idle{{State: ptr(0), Power: 70 * energy.Watt, For: energy.Seconds(9 * time.Second), At: monday}}
	p.Calls = []Call{{Name: "sample", Count: 4800, Median: energy.Seconds(300 * time.Microsecond), P95: energy.Seconds(ms), Max: energy.Seconds(4 * ms)}}
	p.Missing = []string{"nvmlGpmMigSampleGet"}
	return p
}

func TestProfileSurvivesTheStore(t *testing.T) {
	t.Parallel()
	s := Open(filepath.Join(t.TempDir(), "not", "yet"))
	if _, err := s.Load(uuid, driver); !errors.Is(err, ErrAbsent) {
		t.Fatalf("an empty store: %v", err)
	}
	for _, save := range []func(Profile) error{s.Save, s.Jot} {
		if err := save(whole()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(uuid, driver)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(whole(), got); d != "" {
			t.Error(d)
		}
	}
	if _, err := s.Load(uuid, "580.65.06"); !errors.Is(err, ErrAbsent) {
		t.Errorf("under another driver: %v", err)
	}
	all, err := s.All()
	if len(all) != 1 || err != nil {
		t.Errorf("%d profiles, %v", len(all), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.Path(uuid)), "*")); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}

// TestKnown: what a run starts from.
func TestKnown(t *testing.T) {
	t.Parallel()
	p := whole()
	p.Rest(Idle{State: ptr(8), Power: 30 * energy.Watt, At: monday.Add(time.Hour)})
	want := collector.Known{CounterTick: 100 * ms, PowerTick: 50 * ms, Idle: 30 * energy.Watt}
	if got := p.Known(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Ticks that keep to no beat, and those of a module, tell a run nothing.
	p.Counter.Tick.Even, p.Power.Scope, p.Idle = false, "module", nil
	if got := p.Known(); got != (collector.Known{}) {
		t.Errorf("%+v", got)
	}
	p = Profile{}
	if got := p.Known(); got != (collector.Known{}) {
		t.Errorf("%+v", got)
	}
}

// TestNobodyElseMayWrite: whatever the umask.
func TestNobodyElseMayWrite(t *testing.T) {
	// Not parallel: the umask is the process's.
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "state")
	s := Open(dir)
	if err := s.Save(whole()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "gpus"), s.Path(uuid)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestStoreInTrouble: every failure is an error, none a profile.
func TestStoreInTrouble(t *testing.T) {
	t.Parallel()
	store := func(t *testing.T, content string) Store {
		s := Open(t.TempDir())
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.Path(uuid), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return s
	}
	var text strings.Builder
	if err := Encode(&text, whole()); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "cut short": text.String()[:text.Len()/2], "no JSON": "\x00\x01", "another's": strings.Replace(text.String(), "4444", "5555", 1),
		"schema": strings.Replace(text.String(), "profile/1", "profile/2", 1), "huge": text.String() + strings.Repeat(" ", mostBytes),
		"a tick of no sensor": strings.Replace(text.String(), `"period_s": 0.05`, `"period_s": 1e-9`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store(t, content)
			if p, err := s.Load(uuid, driver); !errors.Is(err, ErrInvalid) {
				t.Errorf("%v, %+v", err, p)
			}
			// It is written over.
			if err := s.Save(whole()); err != nil {
				t.Error(err)
			}
			if _, err := s.Load(uuid, driver); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("unknown keys", func(t *testing.T) {
		t.Parallel()
		p, err := store(t, strings.Replace(text.String(), "{", `{"of_a_later_version": [{}],`, 1)).Load(uuid, driver)
		if d := cmp.Diff(whole(), p); d != "" || err != nil {
			t.Error(err, d)
		}
	})
	t.Run("pipe", func(t *testing.T) {
		t.Parallel()
		s := store(t, "")
		if err := errors.Join(os.Remove(s.Path(uuid)), syscall.Mkfifo(s.Path(uuid), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(uuid, driver); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
	t.Run("a file in its place", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := Open(file)
		if err := s.Save(whole()); err == nil {
			t.Error("saved")
		}
		if _, err := s.Load(uuid, driver); err == nil {
			t.Error("loaded")
		}
	})
	t.Run("no place", func(t *testing.T) {
		t.Parallel()
		s := Open("")
		if err := s.Save(whole()); err == nil {
			t.Error("saved")
		}
		if all, err := s.All(); len(all) != 0 || err != nil {
			t.Error(all, err)
		}
	})
	t.Run("hostile UUID", func(t *testing.T) {
		t.Parallel()
		s := store(t, text.String())
		p := whole()
		for _, name := range []string{"", ".", "../gpus/" + uuid, uuid + "/", "-", "GPU \x1b[31m", strings.Repeat("G", 200)} {
			p.UUID = name
			if err := s.Save(p); err == nil {
				t.Errorf("%q was saved", name)
			}
			if _, err := s.Load(name, driver); err == nil {
				t.Errorf("%q was loaded", name)
			}
		}
	})
	t.Run("impossible", func(t *testing.T) {
		t.Parallel()
		p, s := whole(), Open(t.TempDir())
		p.Counter.Tick.Period = -1
		if err := s.Save(p); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

// TestReadOnly: a directory that this user may not write to.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	s := Open(dir)
	if err := s.Save(whole()); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, s.dir} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(d, 0o755) })
	}
	if err := s.Save(whole()); err == nil {
		t.Error("saved")
	}
	if _, err := s.Load(uuid, driver); err != nil {
		t.Error(err)
	}
}

// TestSeveralWriters: whoever reads meanwhile finds one of them, whole.
func TestSeveralWriters(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	if err := s.Save(whole()); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for range 25 {
				p := whole()
				p.Name = strings.Repeat(string(rune('A'+i)), 1+i*3000)
				if err := s.Jot(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for {
		p, err := s.Load(uuid, driver)
		if err != nil || strings.Trim(p.Name, p.Name[:1]) != "" && p.Name != whole().Name {
			t.Fatal(err, p.Name)
		}
		select {
		case <-done:
			if left, _ := filepath.Glob(filepath.Join(s.dir, "*")); len(left) != 1 {
				t.Errorf("left behind: %q", left)
			}
			return
		default:
		}
	}
}

// TestLeftovers: what a killed process has begun is removed in time.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	if err := s.Save(whole()); err != nil {
		t.Fatal(err)
	}
	old, recent := filepath.Join(s.dir, unfinished+"1"), filepath.Join(s.dir, unfinished+"2")
	long := time.Now().Add(-2 * abandoned)
	if err := errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(recent, nil, 0o600), os.Chtimes(old, long, long), s.Save(whole())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", old)
	}
	if _, err := os.Stat(recent); err != nil {
		t.Error(err)
	}
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	for want, values := range map[string]map[string]string{
		"/state/greenagent":                 {"XDG_STATE_HOME": "/state", "HOME": "/home/a"},
		"/home/a/.local/state/greenagent":   {"HOME": "/home/a"},
		"/home/b/.local/state/greenagent":   {"XDG_STATE_HOME": "relative", "HOME": "/home/b"},
		"":                                  {"HOME": "relative"},
		"/home/a b/.local/state/greenagent": {"HOME": "/home/a b/"},
	} {
		if got := StateDir(env(values)); got != want {
			t.Errorf("%v: %q, want %q", values, got, want)
		}
	}
	// Without a HOME, the user's entry counts: whatever that is, it is absolute.
	if got := StateDir(env(nil)); got != "" && !filepath.IsAbs(got) {
		t.Errorf("%q", got)
	}
}
