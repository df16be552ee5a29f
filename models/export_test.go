package models

// OpenWith is Open through another database/sql driver.
var OpenWith = open
