/* The public operator headers against the op table, both ways: every declared operator is a row with that arity, those
   dtypes and that attribute set, and every row is declared or in the list of rows that have no public form
   (op_rows_not_public.txt: reached by born_call, or by files alone). */
#include <born/born.h>

#include "harness.h"
#include "tensor/view.h"
#include "waist/op.h"

#include "api/op_undef.h"

typedef struct declared {
    const char *name, *attrs;       /* attrs NULL: none; "?": the form has parameters of its own */
    uint32_t dtypes;                /* 0: the form takes any handle */
    int operands;                   /* tensors; -1: not said by the row */
    char result;                    /* 'T' as the operands, 'B' bool, 'L' i64, '?' at run time */
} declared;

#define FLT BORN_DT_FLOAT
#define F32H (BORN_DT_FLOAT & ~BORN_DT(F64))
#define INT BORN_DT_INT
#define UINT BORN_DT_UINT
#define NUM BORN_DT_NUM
#define ALL BORN_DT_ALL
#define BOOL BORN_DT_BOOL
#define RESULT_bool 'B'
#define RESULT_i64 'L'
#define ROW(name, attrs, SET, n, result) { #name, attrs, SET, n, result },
#define BORN_OP1(name, SET) ROW(name, NULL, SET, 1, 'T')
#define BORN_OP2(name, SET) ROW(name, NULL, SET, 2, 'T')
#define BORN_OP3(name, SET) ROW(name, NULL, SET, 3, 'T')
#define BORN_OP4(name, SET) ROW(name, NULL, SET, 4, 'T')
#define BORN_OP1A(name, SET, set) ROW(name, #set, SET, 1, 'T')
#define BORN_OP2A(name, SET, set) ROW(name, #set, SET, 2, 'T')
#define BORN_OP3A(name, SET, set) ROW(name, #set, SET, 3, 'T')
#define BORN_OP4A(name, SET, set) ROW(name, #set, SET, 4, 'T')
#define BORN_OP5A(name, SET, set) ROW(name, #set, SET, 5, 'T')
#define BORN_OP1X(name, SET, params, args) ROW(name, "?", SET, -1, 'T')
#define BORN_OP2X(name, SET, params, args) ROW(name, "?", SET, -1, 'T')
#define BORN_OP3X(name, SET, params, args) ROW(name, "?", SET, -1, 'T')
#define BORN_OP4X(name, SET, params, args) ROW(name, "?", SET, -1, 'T')
#define BORN_OP5X(name, SET, params, args) ROW(name, "?", SET, -1, 'T')
#define BORN_OP1R(name, SET, R) ROW(name, NULL, SET, 1, RESULT##R)
#define BORN_OP1RA(name, SET, R, set) ROW(name, #set, SET, 1, RESULT##R)
#define BORN_OP1RX(name, SET, R, params, args) ROW(name, "?", SET, -1, RESULT##R)
#define BORN_OP2N(name, SET) ROW(name, NULL, SET, 2, 'T')
#define BORN_OP2NA(name, SET, set) ROW(name, #set, SET, 2, 'T')
#define BORN_OP2NR(name, SET, R) ROW(name, NULL, SET, 2, RESULT##R)
#define BORN_OPWHERE(name, SET) ROW(name, NULL, SET, 3, 'T')
#define BORN_OPCAST(name) ROW(name, "?", 0, 1, '?')
#define BORN_OPANY(name, params, args) ROW(name, "?", 0, -1, '?')
#define BORN_OPIDX1(name, SET, params, args) ROW(name, "?", SET, 2, 'T')
#define BORN_OPIDX2A(name, SET, set) ROW(name, #set, SET, 3, 'T')
#define BORN_OPLIST(name, params, args) ROW(name, "?", ALL, -1, 'T')
#define BORN_OPSPLIT(name, params, args) ROW(name, "?", ALL, -1, 'T')
#define BORN_OPMAKE(name, params, args) ROW(name, "?", 0, -1, '?')
static const declared rows[] = {
#include "api/op_rows.h"
};
enum { COUNT = sizeof rows / sizeof rows[0] };

static const born_op *find(const char *name) { return born__op_find(name, strlen(name)); }

static char result_letter(const born_op *op)
{
    const char *s = strchr(op->sig, '>');
    return s ? s[1] : 0;
}

TEST(every_declaration_is_a_row)
{
    for (int i = 0; i < COUNT; i++) {
        const declared *d = &rows[i];
        const born_op *op = find(d->name);
        if (!CHECK_MSG(op != NULL, "born_%s is declared, but ops.def has no such row", d->name)) continue;
        if (d->dtypes)
            CHECK_MSG((op->dtypes & BORN_DT_ALL) == d->dtypes, "born_%s: dtypes %x declared, %x in its row", d->name,
                      d->dtypes, op->dtypes);
        const char *attrs = op->attrs ? op->attrs->name : NULL;
        /* fused epilogues are attributes of the row that no program sets */
        bool internal = !d->attrs && attrs && !strcmp(attrs, "linear");
        if (!d->attrs || strcmp(d->attrs, "?"))
            CHECK_MSG(internal || harness_text_equal(d->attrs, attrs) || (!d->attrs && !attrs),
                      "born_%s: attributes %s declared, %s in its row", d->name, d->attrs ? d->attrs : "none",
                      attrs ? attrs : "none");
        if (d->operands >= 0)
            CHECK_MSG(d->operands >= op->min_in && d->operands <= op->max_in,
                      "born_%s: %d operands declared, %d to %d in its row", d->name, d->operands, op->min_in,
                      op->max_in);
        char letter = result_letter(op);
        CHECK_MSG(d->result == letter || (d->result == 'T' && letter == 'U') || d->result == '?',
                  "born_%s: result %c declared, %c in its row", d->name, d->result, letter);
    }
}

TEST(no_operator_is_declared_twice)
{
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            CHECK_MSG(strcmp(rows[i].name, rows[j].name), "born_%s is declared twice", rows[i].name);
}

static bool listed(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, n) && (line[n] == ' ' || line[n] == '\n')) return true;
    return false;
}

TEST(every_row_is_declared_or_listed)
{
    static char text[65536];
    FILE *f = fopen("tests/api/op_rows_not_public.txt", "r");
    if (!f) SKIP("run in the root of the source tree");
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    for (int id = 1; id < BORN_OP_COUNT; id++) {
        const char *name = born__ops[id].name;
        bool is = false;
        for (int i = 0; i < COUNT; i++) is = is || !strcmp(rows[i].name, name);
        CHECK_MSG(is != listed(text, name),
                  is ? "%s is declared and listed as not public" : "%s is neither declared nor listed", name);
    }
    for (char *line = text; *line;) {
        size_t k = strcspn(line, " \n");
        if (line[0] != '#' && k) CHECK_MSG(born__op_find(line, k), "%.*s is listed, but is no row", (int)k, line);
        line += strcspn(line, "\n");
        if (*line) line++;
    }
}

TEST_MAIN
