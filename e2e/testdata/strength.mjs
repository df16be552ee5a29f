// Measures passwords with the pages' script, whose path is the argument. The input is a JSON array of
// {secret, about}, the output one of {score, tenths, advice}.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { measure } = await import(pathToFileURL(process.argv[2]));
const rows = JSON.parse(readFileSync(0, "utf8"));
writeFileSync(1, JSON.stringify(rows.map((row) => measure(row.secret, row.about))));
