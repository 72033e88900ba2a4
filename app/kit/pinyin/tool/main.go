// Command tool makes readings.txt from Unihan_Readings.txt of the Unicode Character Database, which Debian has in its package
// unicode-data:
//
//	bzcat /usr/share/unicode/Unihan_Readings.txt.bz2 | go run ./app/kit/pinyin/tool > app/kit/pinyin/readings.txt
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The characters that are kept. Those of the extensions are not in names that people type.
const first, last = 0x4E00, 0x9FFF

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(in io.Reader, out io.Writer) error {
	readings := map[string][]rune{} // by syllable
	var version string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "# Unicode version: "); ok {
			version = v
		}
		code, rest, _ := strings.Cut(lines.Text(), "\t")
		field, value, ok := strings.Cut(rest, "\t")
		if !ok {
			continue
		}
		c, err := strconv.ParseInt(strings.TrimPrefix(code, "U+"), 16, 32)
		if err != nil {
			return fmt.Errorf("code point of %q: %w", lines.Text(), err)
		}
		if c < first || c > last {
			continue
		}
		for _, s := range syllables(field, value) {
			if !slices.Contains(readings[s], rune(c)) {
				readings[s] = append(readings[s], rune(c))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, header, version)
	for _, s := range slices.Sorted(maps.Keys(readings)) {
		slices.Sort(readings[s])
		fmt.Fprintf(w, "%s %s\n", s, string(readings[s]))
	}
	return w.Flush()
}

const header = `# How Chinese characters are read in Mandarin: a syllable without its tone, v for ü, and the characters that can be read so.
# Made by app/kit/pinyin/tool from the fields kMandarin, kTGHZ2013 and kHanyuPinlu of Unihan_Readings.txt, Unicode %s.
# Changed: tones, sources and frequencies are left out. © Unicode, Inc.; see LICENSE-UNICODE.txt.
`

// syllables are the readings that a field holds, without their tones: customary ones (kMandarin), those of the table of general
// standard characters (kTGHZ2013), and those of running text (kHanyuPinlu).
func syllables(field, value string) []string {
	var out []string
	for v := range strings.FieldsSeq(value) {
		switch field {
		case "kMandarin": // zhòng
			out = append(out, plain(v))
		case "kHanyuPinlu": // zhòng(1140)
			s, _, _ := strings.Cut(v, "(")
			out = append(out, plain(s))
		case "kTGHZ2013": // 482.140:chóng,zhòng
			_, list, _ := strings.Cut(v, ":")
			for s := range strings.SplitSeq(list, ",") {
				out = append(out, plain(s))
			}
		}
	}
	return out
}

// plain is a syllable in letters from a to z, as it is typed.
func plain(s string) string {
	s = strings.ReplaceAll(norm.NFD.String(s), "u\u0308", "v")
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, s)
}
