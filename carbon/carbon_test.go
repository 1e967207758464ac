package carbon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"greenagent/energy"
)

// Published by Ember for 2024, rounded to whole grams.
var check = map[string]float64{
	"WORLD": 473, "EU": 213, "US": 384, "DE": 342, "FR": 44, "GB": 216, "IN": 709, "CN": 558,
	"NO": 31, "SE": 36, "PL": 615, "JP": 484, "KR": 416, "SG": 499, "AU": 554,
}

func TestFiguresAgreeWithEmber(t *testing.T) {
	for zone, want := range check {
		f, err := Lookup(zone)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := math.Round(float64(f.Value)); got != want || f.Year != 2024 || f.Zone != zone {
			t.Errorf("%s: %v g/kWh of %d for %s, want %v of 2024", zone, got, f.Year, f.Zone, want)
		}
		if f.Basis != Lifecycle || f.Kind != Average || f.Boundary != Production || f.Estimated ||
			!strings.Contains(f.Source, "Ember") || !strings.Contains(f.Licence, "CC BY") {
			t.Errorf("%s: provenance %+v", zone, f)
		}
	}
}

func TestLookupKnowsAZoneByAllItsNames(t *testing.T) {
	for zone, names := range map[string][]string{
		"FR":    {"FR", "fr", " Fr ", "FRA", "france", "FRANCE"},
		"GB":    {"GB", "GBR", "UK", "uk", "United Kingdom", "Great Britain"},
		"US":    {"US", "USA", "United States", "united states of america"},
		"CI":    {"CI", "Côte d’Ivoire", "cote d'ivoire", "Ivory Coast"},
		"TR":    {"Türkiye", "turkiye", "Turkey", "TUR"},
		"XK":    {"XK", "XKX", "Kosovo"},
		"KR":    {"KR", "South Korea", "Korea"},
		"CG":    {"CG", "COG", "Congo", "Congo - Brazzaville"},
		"CD":    {"CD", "COD", "DRC"},
		"LC":    {"LC", "St. Lucia", "Saint Lucia"},
		"AG":    {"Antigua and Barbuda"},
		"MK":    {"North Macedonia", "MKD"},
		"NA":    {"NA", "NAM", "Namibia"},
		"WORLD": {"World", "WORLD", "global"},
		"EU":    {"EU", "eu", "European Union"},

		"LATIN-AMERICA-AND-CARIBBEAN": {"Latin America and Caribbean", "latin-america-and-caribbean"},
	} {
		for _, name := range names {
			f, err := Lookup(name)
			if err != nil {
				t.Errorf("%q: %v", name, err)
			} else if f.Zone != zone {
				t.Errorf("%q: zone %s (%s), want %s", name, f.Zone, f.Name, zone)
			}
		}
	}
}

func TestLookupRefusesWithAReason(t *testing.T) {
	for _, c := range []struct{ zone, message string }{
		{"US-CA", `zone "US-CA": the table holds whole countries; US (United States, 384 g/kWh in 2024) is the one it lies in`},
		{"AUS-NSW", `zone "AUS-NSW": the table holds whole countries; AU (Australia, 554 g/kWh in 2024) is the one it lies in`},
		{"CF", `zone "CF": the source has no figure for it; WORLD is the world's average`},
		{"Germny", `unknown zone "Germny": did you mean DE (Germany)?`},
		{"Switz", `unknown zone "Switz": did you mean CH (Switzerland)?`},
		{"Irland", `unknown zone "Irland": did you mean IE (Ireland), `},
		{"", `unknown zone "": want a country's ISO 3166 code or English name, EU or WORLD`},
		{"💚", `unknown zone "💚": want`},
		{"x\x1b[31m\xff", `unknown zone "x\x1b[31m\xff": want`},
		{"EU-west", `unknown zone "EU-west": want`},
	} {
		_, err := Lookup(c.zone)
		if !errors.Is(err, ErrUnknownZone) {
			t.Errorf("%q: error %v is not ErrUnknownZone", c.zone, err)
		} else if !strings.HasPrefix(err.Error(), c.message) {
			t.Errorf("%q:\n got %s\nwant %s", c.zone, err, c.message)
		}
	}
	_, err := Lookup(strings.Repeat("é", 1<<16))
	if !errors.Is(err, ErrUnknownZone) || len(err.Error()) > 500 {
		t.Errorf("128 KiB of zone: a message of %d bytes", len(err.Error()))
	}
}

func TestEveryRowIsFoundByItsCodesAndName(t *testing.T) {
	table, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	countries := 0
	for _, r := range table.rows {
		for _, name := range []string{r.Zone, r.alpha3, r.Name, strings.ToLower(r.Name)} {
			if name == "" {
				continue
			}
			if i, ok := table.byName[fold(name)]; !ok || table.rows[i].Zone != r.Zone {
				t.Errorf("%s: not found as %q", r.Zone, name)
			}
		}
		for _, c := range fold(r.Name) {
			if c > 127 {
				t.Errorf("%s: %q keeps its accent when folded", r.Name, c)
			}
		}
		if r.alpha3 != "" && !r.missing {
			countries++
		}
	}
	if countries < 200 {
		t.Errorf("%d countries with figures, want 200 and more", countries)
	}
	for alias, zone := range aliases {
		if i, ok := table.byName[fold(alias)]; !ok || table.rows[i].Zone != zone {
			t.Errorf("alias %q does not lead to %s", alias, zone)
		}
	}
}

func TestZonesCanBeLookedUp(t *testing.T) {
	list, err := Zones()
	if err != nil || len(list) < 200 {
		t.Fatalf("%d zones (%v), want 200 and more", len(list), err)
	}
	for _, z := range list {
		if f, err := Lookup(z.Zone); err != nil || f != z {
			t.Errorf("%s: %+v (%v), want %+v", z.Zone, f, err, z)
		}
	}
}

func TestRangeSpansEveryCountry(t *testing.T) {
	low, high, err := Range()
	if err != nil {
		t.Fatal(err)
	}
	table, _ := embedded()
	for _, r := range table.rows {
		if !r.missing && (r.Value < low.Value || r.Value > high.Value) {
			t.Errorf("%s: %v outside %v to %v", r.Zone, r.Value, low.Value, high.Value)
		}
	}
	if low.Value >= high.Value || low.Name == "" || high.Name == "" {
		t.Errorf("range %v to %v", low, high)
	}
}

func TestTableMatchesItsRecordedHash(t *testing.T) {
	var about struct {
		TableSHA256 string `json:"table_sha256"`
	}
	if err := json.Unmarshal(emberJSON, &about); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(emberCSV)
	if got := hex.EncodeToString(sum[:]); got != about.TableSHA256 {
		t.Errorf("ember.csv hashes to %s, ember.json records %s: edit neither by hand, run go run ./carbon/refresh", got, about.TableSHA256)
	}
}

func TestParseTableRefusesDamage(t *testing.T) {
	const head = "zone,alpha3,name,g_per_kwh,year\n"
	about := []byte(`{"source":"s","licence":"l"}`)
	if _, err := parseTable([]byte(head+"FR,FRA,France,44,2024\n"), about); err != nil {
		t.Fatalf("a good table: %v", err)
	}
	for name, text := range map[string]string{
		"empty":             "",
		"no rows":           head,
		"other columns":     "a,b,c,d,e\nFR,FRA,France,44,2024\n",
		"too few fields":    head + "FR,FRA\n",
		"negative":          head + "FR,FRA,France,-44,2024\n",
		"zero":              head + "FR,FRA,France,0,2024\n",
		"NaN":               head + "FR,FRA,France,NaN,2024\n",
		"kg instead of g":   head + "FR,FRA,France,44180,2024\n",
		"text":              head + "FR,FRA,France,low,2024\n",
		"year is no number": head + "FR,FRA,France,44,last\n",
		"no code":           head + ",FRA,France,44,2024\n",
	} {
		if _, err := parseTable([]byte(text), about); !errors.Is(err, errTable) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := parseTable([]byte(head+"FR,FRA,France,44,2024\n"), []byte("{")); !errors.Is(err, errTable) {
		t.Errorf("damaged description: error %v", err)
	}
}

func TestFactorString(t *testing.T) {
	f, err := Lookup("fr")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.String(), "FR 44 g/kWh (2024, lifecycle average, Ember yearly electricity data"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin %q", got, want)
	}
}

func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"", "FR", "us-ca", "Côte d’Ivoire", "\xff\xfe", "germny", "-", "U-", strings.Repeat("a", 65), "ǅ", "İ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, zone string) {
		factor, err := Lookup(zone)
		if err != nil {
			var z *ZoneError
			if !errors.As(err, &z) || !errors.Is(err, ErrUnknownZone) {
				t.Fatalf("%q: error %v of type %T", zone, err, err)
			}
			for _, r := range err.Error() {
				if r < ' ' || r == 0x7f {
					t.Fatalf("%q: control character in the message %q", zone, err)
				}
			}
			if len(z.Near) > 3 {
				t.Fatalf("%q: %d suggestions", zone, len(z.Near))
			}
			return
		}
		if factor.Value <= 0 || factor.Value > MaxIntensity {
			t.Fatalf("%q: %v g/kWh", zone, factor.Value)
		}
		again, err := Lookup(factor.Zone)
		if err != nil || again != factor {
			t.Fatalf("%q led to %s, which leads to %v (%v)", zone, factor.Zone, again, err)
		}
	})
}

func BenchmarkParseTable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseTable(emberCSV, emberJSON); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Lookup("FR"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrice(b *testing.B) {
	f, err := Lookup("FR")
	if err != nil {
		b.Fatal(err)
	}
	u, pue := energy.Independent(30*energy.Joule), AssumedPUE()
	b.ReportAllocs()
	for b.Loop() {
		Price(12*energy.Kilojoule, u, f, pue)
	}
}
