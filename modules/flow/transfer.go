package flow

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TransferFolder is the folder of the storage for the files that tasks hand on to tasks behind them.
const TransferFolder = "DATA_TRANSFER"

// PackSuffix ends the name of a folder that is handed on as one zip archive.
const PackSuffix = "_ds_pack.zip"

// maxTransferPart bounds the parts of a name that people chose, in bytes: together they fit into one part of a key.
const maxTransferPart = 100

// TransferRun is the folder of the storage with what a run handed on. Day is that of the first submission, as it is in the
// path of a log, so that whoever knows where the logs of a run are knows where its files are.
func TransferRun(day string, workflow int64, version int, run int64) string {
	return TransferFolder + "/" + day + "/" + strconv.FormatInt(workflow, 10) + "/" + strconv.Itoa(version) + "_" + strconv.FormatInt(run, 10) + "/"
}

// TransferRunOfLog is TransferRun for the run that wrote a log, which ends in day/workflow/version/run/attempt.log.
func TransferRunOfLog(log string) (string, bool) {
	parts := strings.Split(log, "/")
	if len(parts) < 5 {
		return "", false
	}
	parts = parts[len(parts)-5:]
	for i, part := range parts[:4] {
		if part == "" || strings.Trim(part, "0123456789") != "" || i == 0 && len(part) != 8 {
			return "", false
		}
	}
	return TransferFolder + "/" + parts[0] + "/" + parts[1] + "/" + parts[2] + "_" + parts[3] + "/", true
}

// TransferName is the name under which an attempt of a task hands a file on: what people wrote is made fit for every store.
func TransferName(task string, attempt int64, file string) string {
	return plain(task, false) + "_" + strconv.FormatInt(attempt, 10) + "_" + plain(path.Base(file), true)
}

// plain replaces what is no letter, digit, dot, dash or underscore, and cuts what is too long: at its end, or with end set at
// its beginning, where a name tells less.
func plain(text string, end bool) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || c == '.' || c == '-' || c == '_' {
			return c
		}
		return '_'
	}, text)
	for len(text) > maxTransferPart {
		if end {
			_, size := utf8.DecodeRuneInString(text)
			text = text[size:]
		} else {
			_, size := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-size]
		}
	}
	return text
}

// TransferKey is the name by which tasks behind a task find a file that it hands on.
func TransferKey(task, param string) string { return task + "." + param }

// WorkPath cleans the path of a file in a working directory: relative, below the directory, without anything that stores or
// archives could not carry.
func WorkPath(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "/") || strings.Contains(text, "\\") || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", false
	}
	for part := range strings.SplitSeq(text, "/") {
		if part == ".." || len(part) > 255 {
			return "", false
		}
	}
	text = path.Clean(text)
	return text, text != "." && len(text) <= 1024
}
