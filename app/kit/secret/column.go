package secret

// Column is a column of the database that holds sealed texts, for whoever seals them again with another key.
type Column struct {
	Table   string
	Column  string
	Key     string // column that identifies a row: a whole number or a text, unique
	Only    string // SQL condition for the rows whose value is sealed; "" = all that are not empty
	Purpose string // what the texts were sealed for
}
