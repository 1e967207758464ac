package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"greenagent/carbon"
)

// pack makes a package like npm's, of one file.
func pack(t *testing.T, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "package.tgz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// script is the package's file, made of the committed table with changes.
func script(t *testing.T, changes map[string]string) string {
	t.Helper()
	table, err := os.ReadFile("../ember.csv")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("const data = { ")
	for i, line := range lines(table)[1:] {
		field := strings.Split(line, ",")
		key, value := field[1], field[3]
		if key == "" {
			key = strings.ReplaceAll(field[0], "-", " ")
		}
		if value == "" {
			value = "0"
		}
		if v, ok := changes[key]; ok {
			value = v
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q: %s", key, value)
	}
	b.WriteString(" };\nconst type = \"average\";\n")
	return b.String()
}

func TestRefreshReproducesTheCommittedTable(t *testing.T) {
	dir, from := t.TempDir(), pack(t, dataPath, script(t, nil))
	var out bytes.Buffer
	if err := refresh(context.Background(), dir, from, &out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../ember.csv")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "ember.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the table made of the committed figures differs from the committed table")
	}
	about, err := os.ReadFile(filepath.Join(dir, "ember.json"))
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := refresh(context.Background(), dir, from, &out); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(dir, "ember.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(about, again) || out.String() != "222 zones, 0 lines changed\n" {
		t.Errorf("the second run was no copy of the first: %s%s", out.String(), again)
	}
}

func TestRefreshShowsWhatChanged(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	for _, changes := range []map[string]string{nil, {"FRA": "41.5"}} {
		out.Reset()
		if err := refresh(context.Background(), dir, pack(t, dataPath, script(t, changes)), &out); err != nil {
			t.Fatal(err)
		}
	}
	if want := "- FR,FRA,France,44.18,2024\n+ FR,FRA,France,41.5,2024\n222 zones, 2 lines changed\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestRefreshRefuses(t *testing.T) {
	good := script(t, nil)
	for name, c := range map[string]struct{ path, script, message string }{
		"kilograms":        {dataPath, script(t, map[string]string{"FRA": "44180"}), "not between 0 and"},
		"negative":         {dataPath, script(t, map[string]string{"FRA": "-44"}), "not between 0 and"},
		"a stale year":     {dataPath, script(t, map[string]string{"AFG": "99"}), "look up the new figure's year"},
		"a strange key":    {dataPath, strings.Replace(good, `"FRA"`, `"ZZZ"`, 1), `"ZZZ" is neither`},
		"too few zones":    {dataPath, `const data = {"FRA": 44}; const type = "average";`, "want 200 or more"},
		"marginal figures": {dataPath, strings.Replace(good, "average", "marginal", 1), "not marked as average"},
		"no JSON":          {dataPath, `const data = {FRA: 44}; const type = "average";`, "data: invalid"},
		"another layout":   {"package/elsewhere.js", good, "changed its layout"},
	} {
		dir := t.TempDir()
		err := refresh(context.Background(), dir, pack(t, c.path, c.script), &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.message)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: wrote %v", name, left)
		}
	}
}

func TestRetrievedKeepsTheDateOfAKnownPackage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ember.json")
	if err := os.WriteFile(path, []byte(`{"package_sha256":"aa","retrieved":"2020-01-02"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2021, 3, 4, 0, 0, 0, 0, time.UTC)
	if got := retrieved(path, "aa", now); got != "2020-01-02" {
		t.Errorf("the same package: %s", got)
	}
	if got := retrieved(path, "bb", now); got != "2021-03-04" {
		t.Errorf("another package: %s", got)
	}
}

func TestRunReports(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"-from", filepath.Join(t.TempDir(), "absent.tgz")}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "absent.tgz") {
		t.Errorf("a missing package: exit %d, %q", code, errs.String())
	}
	if code := run(context.Background(), []string{"-nonsense"}, &out, &errs); code != 2 {
		t.Errorf("an unknown flag: exit %d", code)
	}
}

// The years come from elsewhere: they must belong to figures in the table.
func TestYearsBelongToTheTable(t *testing.T) {
	years, err := parseYears(yearsCSV)
	if err != nil {
		t.Fatal(err)
	}
	for code, d := range years {
		f, err := carbon.Lookup(code)
		if d.intensity == 0 {
			continue // the source's "no figure"
		}
		if err != nil || f.Year != d.year || float64(f.Value) != d.intensity {
			t.Errorf("%s: %d, %v g/kWh; the table has %d, %v (%v)", code, d.year, d.intensity, f.Year, float64(f.Value), err)
		}
	}
}

func FuzzParseScript(f *testing.F) {
	f.Add([]byte(`const data = { "FRA": 44.18, "FLK": 1e3 }; const type = "average";`))
	f.Add([]byte(`const data = { "FRA": {} }; const type = "average";`))
	f.Add([]byte(`const type = "average"; const data = {`))
	f.Fuzz(func(t *testing.T, text []byte) {
		figures, err := parseScript(text)
		if err != nil {
			return
		}
		zones, err := assemble(figures, nil)
		if err == nil && len(zones) != len(figures) {
			t.Fatalf("%d figures became %d zones without an error", len(figures), len(zones))
		}
	})
}

func FuzzParseYears(f *testing.F) {
	f.Add([]byte("AFG,2023,123.71\n"))
	f.Add([]byte("# no more\nAFG,2023\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		years, err := parseYears(text)
		for code, d := range years {
			if err == nil && (d.year < 2000 || d.year >= edition) {
				t.Fatalf("%s: accepted the year %d", code, d.year)
			}
		}
	})
}
