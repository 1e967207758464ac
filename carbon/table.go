package carbon

import (
	"bytes"
	_ "embed" // the table travels inside the binary
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"greenagent/energy"
)

//go:generate go run ./refresh

//go:embed ember.csv
var emberCSV []byte

//go:embed ember.json
var emberJSON []byte

// table is the parsed form of the embedded figures; read-only once made.
type table struct {
	rows   []row          // in the order of the file
	byName map[string]int // folded code, name or alias → index into rows
	low    int            // index of the country with the smallest intensity
	high   int            // … and with the largest
}

type row struct {
	Factor
	alpha3  string // "" for aggregates
	missing bool   // the source lists the zone without a figure
}

// embedded parses at the first use: a run without a zone never pays for it.
var embedded = sync.OnceValues(func() (*table, error) { return parseTable(emberCSV, emberJSON) })

// header is the first line of ember.csv. A zone's alpha2 and alpha3 are empty
// for aggregates; an empty intensity means that the
// source has none.
var header = [...]string{"zone", "alpha3", "name", "g_per_kwh", "year"}

// errTable means that the embedded table is damaged, which its tests rule out.
var errTable = errors.New("embedded carbon table")

func parseTable(csvText, jsonText []byte) (*table, error) {
	var about struct{ Source, Licence string }
	if err := json.Unmarshal(jsonText, &about); err != nil {
		return nil, fmt.Errorf("%w: description: %w", errTable, err)
	}
	r := csv.NewReader(bytes.NewReader(csvText))
	r.FieldsPerRecord = len(header)
	r.ReuseRecord = true
	first, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	if [len(header)]string(first) != header {
		return nil, fmt.Errorf("%w: columns %q, want %q", errTable, first, header)
	}
	t := &table{byName: make(map[string]int, 4*256), low: -1, high: -1}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errTable, err)
		}
		parsed, err := parseRow(record)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("%w: line %d: %w", errTable, line, err)
		}
		parsed.Source, parsed.Licence = about.Source, about.Licence
		t.add(parsed)
	}
	if t.low < 0 {
		return nil, fmt.Errorf("%w: no figures", errTable)
	}
	for alias, zone := range aliases {
		if i, ok := t.byName[fold(zone)]; ok {
			t.name(alias, i)
		}
	}
	return t, nil
}

func parseRow(record []string) (row, error) {
	r := row{
		Factor: Factor{
			Zone: record[0], Name: record[2],
			Basis: Lifecycle, Kind: Average, Boundary: Production,
		},
		alpha3:  record[1],
		missing: record[3] == "",
	}
	if r.Zone == "" || r.Name == "" {
		return row{}, errors.New("a zone without a code or a name")
	}
	if r.missing {
		return r, nil
	}
	value, err := strconv.ParseFloat(record[3], 64)
	if err != nil {
		return row{}, err
	}
	if !(value > 0 && value <= MaxIntensity) {
		return row{}, fmt.Errorf("%s: %v g/kWh is not between 0 and %v", r.Zone, value, MaxIntensity)
	}
	r.Value = energy.Intensity(value)
	r.Year, err = strconv.Atoi(record[4])
	return r, err
}

// MaxIntensity is far above any grid's average, in g CO2e per kWh: the highest
// in the table is some 1,300. A larger figure is a mistake of units.
const MaxIntensity = 3000

func (t *table) add(r row) {
	i := len(t.rows)
	t.rows = append(t.rows, r)
	t.name(r.Zone, i)
	if r.alpha3 != "" {
		t.name(r.alpha3, i)
	}
	t.name(r.Name, i)
	if rest, ok := strings.CutPrefix(r.Name, "St. "); ok {
		t.name("Saint "+rest, i)
	}
	if r.missing || r.alpha3 == "" {
		return
	}
	if t.low < 0 || r.Value < t.rows[t.low].Value {
		t.low = i
	}
	if t.high < 0 || r.Value > t.rows[t.high].Value {
		t.high = i
	}
}

// name makes a row known by text. The first to claim a name keeps it: codes are
// entered in the order of the file, aliases last.
func (t *table) name(text string, i int) {
	key := fold(text)
	if _, taken := t.byName[key]; !taken && key != "" {
		t.byName[key] = i
	}
}

// aliases are names in everyday use that neither ISO 3166 nor the table's own
// English names contain, by zone.
var aliases = map[string]string{
	"UK":                               "GB",
	"EL":                               "GR", // as the European Union writes it
	"Britain":                          "GB",
	"Great Britain":                    "GB",
	"England":                          "GB",
	"Burma":                            "MM",
	"Cape Verde":                       "CV",
	"Congo":                            "CG",
	"Congo-Brazzaville":                "CG",
	"Czech Republic":                   "CZ",
	"Democratic Republic of the Congo": "CD",
	"DRC":                              "CD",
	"Global":                           "WORLD",
	"Holland":                          "NL",
	"Ivory Coast":                      "CI",
	"Korea":                            "KR",
	"Macau":                            "MO",
	"Macedonia":                        "MK",
	"Republic of Korea":                "KR",
	"Russian Federation":               "RU",
	"Swaziland":                        "SZ",
	"Turkey":                           "TR",
	"UAE":                              "AE",
	"United States of America":         "US",
	"Viet Nam":                         "VN",
	"European Union":                   "EU",
}
