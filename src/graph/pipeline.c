/* The pass pipeline: passes.def in order over a graph and its subgraphs. Reads as a list. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/print.h"
#include "graph/structure.h"

#define PASS(name, exact, doc) born_status pass_##name(born_edit *e);
#include "graph/passes.def"
#undef PASS

const born_pass born__passes[] = {
#define PASS(name, exact, doc) { #name, pass_##name, exact, doc },
#include "graph/passes.def"
#undef PASS
};
const size_t born__pass_count = sizeof born__passes / sizeof *born__passes;

static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; p && *p;) {
        const char *end = strchr(p, ',');
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if ((len == n && !memcmp(p, name, n)) || (len == 3 && !memcmp(p, "all", 3))) return true;
        p = end ? end + 1 : NULL;
    }
    return false;
}

static born_status dump(born_graph *g, const born_pass_ctx *ctx, const char *pass, born_error *err)
{
    char *text = NULL;

    BORN_TRY(born__graph_text(g, &text, err));
    ctx->dump(ctx->dump_user, pass, text);
    born__free(text);
    return BORN_OK;
}

typedef struct subgraphs {
    born_graph *g[64];
    int count;
} subgraphs;

static void collect(void *user, born_graph **g)
{
    subgraphs *s = user;

    if (s->count < 64) s->g[s->count++] = *g;
}

static born_status run_passes(born_graph *g, const born_pass_ctx *ctx, born_error *err)
{
    for (size_t i = 0; i < born__pass_count; i++) {
        born_edit e;

        if (listed(ctx->passes_off, born__passes[i].name) || (ctx->exact && !born__passes[i].exact)) continue;
        BORN_TRY(born__edit_begin(&e, g, ctx, err));
        born_status st = born__passes[i].run(&e);
        born_status end = born__edit_end(&e);
        BORN_TRY(st);
        BORN_TRY(end);
        if (ctx->dump) BORN_TRY(dump(g, ctx, born__passes[i].name, err));
    }
    return BORN_OK;
}

/* Many subgraphs may name one constant of a small file, so copies are counted over all of them. */
born_status born__graph_settle_within(born_graph *g, const born_pass_ctx *ctx, born_vid v, born_error *err)
{
    if (v < 0 || !g->value[v].loose) return BORN_OK;
    BORN_FAIL_IF(ctx->copies_left && g->value[v].bytes > *ctx->copies_left, err, BORN_NOMEM,
                 "graph: its constants need more memory than allowed");
    BORN_TRY(born__graph_settle(g, v, err));
    if (ctx->copies_left) *ctx->copies_left -= g->value[v].bytes;
    return BORN_OK;
}

/* Constants that are handed out, to a caller or a subgraph, or computed with on the host, must be aligned; those that
   only backends read are seen to when their kernels are known. */
static born_status settle_constants(born_graph *g, const born_pass_ctx *ctx, born_error *err)
{
    for (size_t k = 0; k < g->node_count; k++) {
        bool reads = (g->node[k].op->props & BORN_P_CONTROL) || g->structure->host_node[k];
        for (int i = 0; reads && i < g->node[k].in_count; i++)
            BORN_TRY(born__graph_settle_within(g, ctx, g->node[k].in[i], err));
    }
    for (size_t i = 0; i < g->output_count; i++) BORN_TRY(born__graph_settle_within(g, ctx, g->output[i], err));
    return BORN_OK;
}

born_status born__graph_optimise(born_graph *g, const born_pass_ctx *ctx, born_error *err)
{
    subgraphs s;

    BORN_TRY(run_passes(g, ctx, err));
    for (size_t k = 0; k < g->node_count; k++) { /* depth is capped by the verifier */
        s.count = 0;
        born__node_subgraphs(&g->node[k], collect, &s);
        for (int i = 0; i < s.count; i++) BORN_TRY(born__graph_optimise(s.g[i], ctx, err));
    }
    BORN_TRY(born__structure_make(g, err));
    return settle_constants(g, ctx, err);
}
