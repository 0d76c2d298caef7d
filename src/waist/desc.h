/* Options structs that travel with their size: a caller built against an older header gives fewer bytes (the rest are
   defaults), one built against a newer header may give more, which must be zero. */
#ifndef BORN_WAIST_DESC_H
#define BORN_WAIST_DESC_H
#include <string.h>

#include "base/error.h"

static inline born_status born__desc_read(void *dst, size_t dst_bytes, const void *src, size_t src_bytes,
                                          const char *who, born_error *err)
{
    memset(dst, 0, dst_bytes);
    if (!src) return BORN_OK;
    for (size_t i = dst_bytes; i < src_bytes; i++)
        BORN_FAIL_IF(((const unsigned char *)src)[i], err, BORN_UNSUPPORTED,
                     "%s: an option this version does not know is set", who);
    memcpy(dst, src, src_bytes < dst_bytes ? src_bytes : dst_bytes);
    return BORN_OK;
}
#endif
