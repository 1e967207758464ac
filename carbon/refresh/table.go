package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"greenagent/carbon"
)

// zone is one line of ember.csv.
type zone struct {
	code, alpha3, name string
	intensity          float64 // g/kWh, 0 = the source has none
	year               int
}

// maxScript bounds what is unpacked; the file has 4 kB.
const maxScript = 1 << 20

// extract returns one file of a gzipped tar archive.
func extract(archive []byte, path string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("package: %w", err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("package: no %s in it: has the package changed its layout?", path)
		}
		if err != nil {
			return nil, fmt.Errorf("package: %w", err)
		}
		if h.Name == path {
			return io.ReadAll(io.LimitReader(r, maxScript))
		}
	}
}

// object finds the literal in "const data = { "AFG": 123.71, … };", which is
// JSON as the package's build tool writes it.
var object = regexp.MustCompile(`(?s)const data = (\{.*?\})`)

// parseScript reads the intensities by upper-case code from the package's file,
// and insists that they are averages.
func parseScript(script []byte) (map[string]float64, error) {
	if !regexp.MustCompile(`const type = "average"`).Match(script) {
		return nil, errors.New("data: not marked as average intensities")
	}
	m := object.FindSubmatch(script)
	if m == nil {
		return nil, errors.New("data: no object named data")
	}
	var figures map[string]float64
	if err := json.Unmarshal(m[1], &figures); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return figures, nil
}

// dated is a line of years.csv: a figure older than the edition.
type dated struct {
	year      int
	intensity float64
}

// parseYears reads years.csv. The package drops the years of its figures; they
// are taken from years.csv where they are not the edition's, together with the
// figure they were stated for.
func parseYears(text []byte) (map[string]dated, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	r.FieldsPerRecord = 3
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("years.csv: %w", err)
	}
	years := make(map[string]dated, len(lines))
	for i, line := range lines {
		year, yearErr := strconv.Atoi(line[1])
		intensity, err := strconv.ParseFloat(line[2], 64)
		if err := errors.Join(yearErr, err); err != nil {
			return nil, fmt.Errorf("years.csv: entry %d: %w", i+1, err)
		}
		if year < 2000 || year >= edition {
			return nil, fmt.Errorf("years.csv: %s: %d is not before the edition of %d", line[0], year, edition)
		}
		years[line[0]] = dated{year, intensity}
	}
	return years, nil
}

// assemble checks the figures and gives them their names and years.
func assemble(figures map[string]float64, years map[string]dated) ([]zone, error) {
	var problems []error
	zones := make([]zone, 0, len(figures))
	for code, intensity := range figures {
		z, err := identify(code)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if intensity < 0 || intensity > carbon.MaxIntensity {
			problems = append(problems, fmt.Errorf("%s: %v g/kWh is not between 0 and %d", code, intensity, carbon.MaxIntensity))
		}
		z.intensity, z.year = intensity, edition
		if d, ok := years[code]; ok {
			z.year = d.year
			if d.intensity != intensity {
				problems = append(problems, fmt.Errorf("%s: now %v g/kWh, but years.csv dates %v to %d: look up the new figure's year",
					code, intensity, d.intensity, d.year))
			}
		}
		zones = append(zones, z)
	}
	for code := range years {
		if _, ok := figures[code]; !ok {
			problems = append(problems, fmt.Errorf("%s: in years.csv, but no longer in the package", code))
		}
	}
	const fewest = 200 // a package that lost its countries is not a refresh
	if len(zones) < fewest {
		problems = append(problems, fmt.Errorf("%d zones, want %d or more", len(zones), fewest))
	}
	slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	slices.SortFunc(zones, func(a, b zone) int {
		// Aggregates last; countries by code.
		return cmp.Or(boolCompare(a.alpha3 == "", b.alpha3 == ""), cmp.Compare(a.code, b.code))
	})
	return zones, errors.Join(problems...)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// aggregates are the package's keys that are not countries, with their names.
var aggregates = map[string]string{
	"AFRICA":                      "Africa",
	"ASEAN":                       "ASEAN",
	"ASIA":                        "Asia",
	"EU":                          "European Union",
	"EUROPE":                      "Europe",
	"G20":                         "G20",
	"G7":                          "G7",
	"LATIN AMERICA AND CARIBBEAN": "Latin America and Caribbean",
	"MIDDLE EAST":                 "Middle East",
	"NORTH AMERICA":               "North America",
	"OCEANIA":                     "Oceania",
	"OECD":                        "OECD",
	"WORLD":                       "World",
}

// names replaces those of x/text, whose edition of CLDR is older than the
// countries' own changes of name, or that carry more than a name.
var names = map[string]string{
	"CV": "Cabo Verde",
	"HK": "Hong Kong",
	"MK": "North Macedonia",
	"MM": "Myanmar",
	"MO": "Macao",
	"PS": "Palestine",
	"SZ": "Eswatini",
	"TR": "Türkiye",
}

// identify turns the package's key into a zone's codes and name.
func identify(key string) (zone, error) {
	if name, ok := aggregates[key]; ok {
		return zone{code: strings.ReplaceAll(key, " ", "-"), name: name}, nil
	}
	if key == "XKX" { // assigned by its users, not by ISO: Kosovo
		return zone{code: "XK", alpha3: key, name: "Kosovo"}, nil
	}
	region, err := language.ParseRegion(key)
	if err != nil || !region.IsCountry() || region.ISO3() != key {
		return zone{}, fmt.Errorf("%q is neither an ISO 3166 alpha-3 code nor a known aggregate", key)
	}
	code := region.String()
	name, ok := names[code]
	if !ok {
		name = strings.ReplaceAll(display.English.Regions().Name(region), " & ", " and ")
	}
	return zone{code: code, alpha3: key, name: name}, nil
}

func encode(zones []zone) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	// Errors of a bytes.Buffer: none.
	_ = w.Write([]string{"zone", "alpha3", "name", "g_per_kwh", "year"})
	for _, z := range zones {
		intensity := ""
		if z.intensity != 0 { // the package writes 0 for "no figure"
			intensity = strconv.FormatFloat(z.intensity, 'f', -1, 64)
		}
		_ = w.Write([]string{z.code, z.alpha3, z.name, intensity, strconv.Itoa(z.year)})
	}
	w.Flush()
	return b.Bytes()
}

// report prints the lines that differ between two tables, and how many.
func report(w io.Writer, before, after []byte) {
	a, b := lines(before), lines(after)
	changed := 0
	for _, line := range a {
		if !slices.Contains(b, line) {
			fmt.Fprintln(w, "-", line)
			changed++
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			fmt.Fprintln(w, "+", line)
			changed++
		}
	}
	fmt.Fprintf(w, "%d zones, %d lines changed\n", max(len(b)-1, 0), changed)
}

func lines(text []byte) []string {
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}
