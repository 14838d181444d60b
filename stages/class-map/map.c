/* Makes the map from the options. */
#include "stages/class-map/class-map.h"

enum pst_status make_map(struct class_map *self, const struct pst_header *in, struct pst_error *error)
{
    struct class_names own = { 0 }, *old = self->old != NULL ? &self->old_names : &own;
    enum pst_status status = PST_OK;
    bool bare = self->file == NULL && self->list == NULL && self->like == NULL;
    if (self->old == NULL)
        status = self->only_count == 0 ? take_header_names(&own, in, self->in, error) : PST_OK;
    own.classes.count = self->in;
    if (status == PST_OK && bare)
        status = take_header_names(&self->new_names, in, (size_t)in->classes, error);
    if (status == PST_OK && bare && self->new_names.classes.names == NULL)
        status = pst_fail(error, PST_USAGE,
                          "--of: the stream does not name its classes; give --map, --classes "
                          "or --like");
    if (status != PST_OK)
        return status;
    if (self->file != NULL)
        status = pst_class_map_read(&self->map, &old->classes, self->file, NULL, self->dustbin, error);
    else if (self->list != NULL)
        status =
            pst_class_map_named(&self->map, &old->classes, self->list, "--classes", self->dustbin, error);
    else
        status = pst_class_map_like(&self->map, &old->classes, &self->new_names.classes,
                                    self->like != NULL ? self->like : "the stream's classes", self->dustbin,
                                    error);
    free_names(&own);
    return status;
}
