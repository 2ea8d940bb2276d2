/* SQLite, the library of Debian's package, with a database in memory: rows go in, are joined, grouped, sorted, changed and deleted. */
#include "work.h"
#include <malloc.h>
#include <sqlite3.h>
#include <stdlib.h>

static const char *const before[] = {
	"CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, town INTEGER)",
	"CREATE TABLE town (id INTEGER PRIMARY KEY, height INTEGER)",
	"BEGIN",
};
static const char *const after[] = {
	"INSERT INTO town SELECT DISTINCT town, town * town FROM person",
	"COMMIT",
	"CREATE INDEX by_town ON person (town, name)",
	"UPDATE person SET town = town + 1 WHERE id % 3 = 0",
	"DELETE FROM person WHERE name LIKE '%f'",
};
static const char query[] = "SELECT count(*), sum(person.id), max(name), height FROM person JOIN town ON town.id = person.town"
			    " GROUP BY town.id HAVING count(*) > 5 ORDER BY sum(person.id) DESC, 3";

static void check(int result, int expected)
{
	if (result != expected)
		abort();
}

static void run(sqlite3 *base, const char *const *all, int count)
{
	for (int i = 0; i < count; i++)
		check(sqlite3_exec(base, all[i], 0, 0, 0), SQLITE_OK);
}

uint32_t sqlite(void)
{
	sqlite3 *base;
	sqlite3_stmt *statement;
	uint32_t state = 1, sum = 0;
	/* What it frees stays the program's: page faults are measured elsewhere. */
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	mallopt(M_MMAP_THRESHOLD, 1 << 28);
	check(sqlite3_open(":memory:", &base), SQLITE_OK);
	run(base, before, sizeof before / sizeof *before);
	check(sqlite3_prepare_v2(base, "INSERT INTO person VALUES (?, printf('person-%x', ?), ?)", -1, &statement, 0), SQLITE_OK);
	for (int id = 1; id <= 1000; id++) {
		sqlite3_bind_int(statement, 1, id);
		sqlite3_bind_int(statement, 2, next_random(&state));
		sqlite3_bind_int(statement, 3, next_random(&state) % 50);
		check(sqlite3_step(statement), SQLITE_DONE);
		check(sqlite3_reset(statement), SQLITE_OK);
	}
	check(sqlite3_finalize(statement), SQLITE_OK);
	run(base, after, sizeof after / sizeof *after);
	check(sqlite3_prepare_v2(base, query, -1, &statement, 0), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		for (const unsigned char *name = sqlite3_column_text(statement, 2); *name; name++)
			sum = sum * 31 + *name;
		sum = sum * 31 + sqlite3_column_int(statement, 0);
		sum = sum * 31 + sqlite3_column_int(statement, 1);
		sum = sum * 31 + sqlite3_column_int(statement, 3);
	}
	check(sqlite3_finalize(statement), SQLITE_OK);
	check(sqlite3_close(base), SQLITE_OK);
	return sum;
}
