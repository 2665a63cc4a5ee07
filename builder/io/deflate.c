#include "deflate.h"
#include <zlib.h>
struct deflater { int x; };
static void z(struct buf *out, const void *b, size_t n, int strat, int level){ z_stream s={0}; deflateInit2(&s,level,Z_DEFLATED,-15,9,strat); size_t c=deflateBound(&s,n); char *p=buf_room(out,c); s.next_in=(void*)(uintptr_t)b; s.avail_in=(unsigned)n; s.next_out=(void*)p; s.avail_out=(unsigned)c; deflate(&s,Z_FINISH); out->len+=s.total_out; deflateEnd(&s);}
void deflate_fixed1(struct buf *out, const void *b, size_t n){z(out,b,n,Z_FIXED,1);}
struct deflater *deflater_open(void){return xcalloc(1,4);}
void deflater_clear(struct deflater **d){free(*d);*d=NULL;}
void deflate_1(struct deflater *d, struct buf *out, const void *b, size_t n){z(out,b,n,Z_DEFAULT_STRATEGY,6);}
