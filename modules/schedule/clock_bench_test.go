package schedule_test

import (
	"testing"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

// BenchmarkBatch measures a thousand fires at one second, until they are durable.
func BenchmarkBatch(b *testing.B) {
	for name, open_ := range map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := open(b, open_(b))
			w.insertSchedules(b, 1000, "* * * * * ?")
			c := w.clock()
			step(b, c)
			for b.Loop() {
				w.wall.pass(time.Second)
				step(b, c)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/fire")
		})
	}
}
