// Prints how many days SQLite's clock is ahead of Go's.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	var now int64
	if err := db.QueryRow("SELECT CAST(strftime('%s', 'now') AS INTEGER)").Scan(&now); err != nil {
		log.Fatal(err)
	}
	fmt.Println((now-time.Now().Unix()+3600)/86400, "days")
}
