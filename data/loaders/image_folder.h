#pragma once

#include "data/loader.h"

namespace cbnet::data {

/// Reads a folder with one subfolder a class, in them PNG, JPEG, PGM or PPM files; or with folders train and
/// test (or train alone) that look so. Classes are called by their folders, and numbered in the order of
/// their names.
///
/// All pictures have the size of the first one, or PictureOptions says which they are to have. Where the
/// first is in colour, grey ones are repeated in three channels; where it is grey, one in colour is an error
/// unless PictureOptions says how many channels there are to be. Files of other kinds than pictures are
/// passed over. InputError, naming the file, for a picture that is damaged or does not fit; for a class
/// without pictures; for one in test that train does not have; and for more than 256 classes.
Loader image_folder_loader();

}  // namespace cbnet::data
