/* Born's codecs, a component beside the core (the library `born_codecs`): gzip and deflate by zlib, PNG by libpng, JPEG
   by libjpeg, each where the build found it. */
#ifndef BORN_CODECS_H
#define BORN_CODECS_H
#include "data.h"

BORN_C_BEGIN

typedef enum born_codec_set {
    BORN_CODEC_ZLIB = 1,
    BORN_CODEC_PNG = 2,
    BORN_CODEC_JPEG = 4
} born_codec_set;

/// Makes them the process's codecs (born_codecs_set). Call it before other threads use datasets.
void born_codecs_install(void);
/// Which of them this build has: a sum of born_codec_set.
unsigned born_codecs_built(void);

BORN_C_END
#endif
