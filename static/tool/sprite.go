package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// icons writes one sprite: our own drawings (own.svg) and the lucide icons named
// in icons.txt. Lucide draws on a 24 grid; its lines are set so that both kinds
// are 1.5 px at 16 px.
func (b *build) icons() error {
	var sprite strings.Builder
	sprite.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">` + "\n")
	if err := own(&sprite); err != nil {
		return err
	}
	list, err := os.ReadFile(tool + "/icons.txt")
	if err != nil {
		return err
	}
	const pkg = "lucide-static"
	body := regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)
	space := regexp.MustCompile(`\s+`)
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] == "#" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(modules, pkg, "icons", fields[1]+".svg"))
		if err != nil {
			return err
		}
		m := body.FindSubmatch(text)
		if m == nil {
			return fmt.Errorf("%s: not a drawing", fields[1])
		}
		drawing := strings.ReplaceAll(strings.TrimSpace(space.ReplaceAllString(string(m[1]), " ")), "> <", "><")
		fmt.Fprintf(&sprite, `<symbol id="%s" viewBox="0 0 24 24"><g stroke-width="2.25">%s</g></symbol>`+"\n", fields[0], drawing)
	}
	sprite.WriteString("</svg>\n")
	return b.add("icons.svg", []byte(sprite.String()), tool+"/icons.txt", pkg)
}

func own(sprite *strings.Builder) error {
	text, err := os.ReadFile(tool + "/own.svg")
	if err != nil {
		return err
	}
	var doc struct {
		Symbols []struct {
			ID      string `xml:"id,attr"`
			ViewBox string `xml:"viewBox,attr"`
			Body    string `xml:",innerxml"`
		} `xml:"symbol"`
		Aliases []struct {
			ID string `xml:"id,attr"`
			Of string `xml:"of,attr"`
		} `xml:"alias"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("own.svg: %w", err)
	}
	const symbol = `<symbol id="%s" viewBox="%s">%s</symbol>` + "\n"
	for _, s := range doc.Symbols {
		fmt.Fprintf(sprite, symbol, s.ID, s.ViewBox, s.Body)
	}
	for _, a := range doc.Aliases {
		found := false
		for _, s := range doc.Symbols {
			if s.ID == a.Of {
				fmt.Fprintf(sprite, symbol, a.ID, s.ViewBox, s.Body)
				found = true
			}
		}
		if !found {
			return fmt.Errorf("own.svg: alias %s of %s, which is not there", a.ID, a.Of)
		}
	}
	return nil
}
