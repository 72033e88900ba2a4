package email

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"dorado/plugins/alert"
)

// maxRows bounds a workbook: it is made in memory.
const maxRows = 100_000

// workbook is a table as a file of Excel: numbers as numbers, everything else as text, never as a formula.
func workbook(t alert.Table) (data []byte, err error) {
	f := excelize.NewFile()
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	align, err := f.NewStyle(&excelize.Style{Alignment: &excelize.Alignment{Horizontal: "right"}})
	if err != nil {
		return nil, fmt.Errorf("workbook: %w", err)
	}
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		return nil, fmt.Errorf("workbook: %w", err)
	}
	for i, c := range t.Columns {
		if err := w.SetColWidth(i+1, i+1, min(max(float64(utf8.RuneCountInString(c))*800/256, 8), 100)); err != nil {
			return nil, fmt.Errorf("workbook: %w", err)
		}
	}
	row := func(number int, cell func(column string) any) error {
		cells := make([]any, len(t.Columns))
		for i, c := range t.Columns {
			cells[i] = excelize.Cell{StyleID: align, Value: cell(c)}
		}
		return w.SetRow("A"+strconv.Itoa(number), cells, excelize.RowOpts{Height: 25})
	}
	if err := row(1, func(c string) any { return c }); err != nil {
		return nil, fmt.Errorf("workbook: %w", err)
	}
	for i, r := range t.Rows[:min(len(t.Rows), maxRows)] {
		if err := row(i+2, func(c string) any { return cellOf(r.Values[c]) }); err != nil {
			return nil, fmt.Errorf("workbook: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("workbook: %w", err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return nil, fmt.Errorf("workbook: %w", err)
	}
	return b.Bytes(), nil
}

// cellOf is a number where one keeps all its digits as such.
func cellOf(v alert.Value) any {
	if v.Number && len(v.Text) <= 15 {
		if n, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return n
		}
	}
	return v.Text
}
