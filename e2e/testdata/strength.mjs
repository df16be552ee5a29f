// Judges secrets by the pages' script: its file is the argument; a JSON array of {secret, about} comes in, one of
// {score, tenths, advice} goes out.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { measure } = await import(pathToFileURL(process.argv[2]));
const rows = JSON.parse(readFileSync(0, "utf8"));
writeFileSync(1, JSON.stringify(rows.map((row) => measure(row.secret, row.about))));
