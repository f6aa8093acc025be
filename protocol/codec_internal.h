/* codec_internal: what the files of the codec share. */
#ifndef GW_CODEC_INTERNAL_H
#define GW_CODEC_INTERNAL_H

#include "gw/codec.h"

/* A copy in the arena, NUL-terminated behind its n bytes, never NULL even when empty. E_TOO_BIG:
 * arena cap. */
GW_MUST_CHECK enum gw_code gw_codec_copy(struct gw_arena *arena, struct gw_span from,
                                         struct gw_span *out);

#endif
