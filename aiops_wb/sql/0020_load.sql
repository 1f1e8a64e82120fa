-- Which columns of which types a day file has, as a digest: files alike are read as one of them is.
CREATE TABLE file_shapes (path VARCHAR NOT NULL, bytes BIGINT NOT NULL, shape VARCHAR NOT NULL);
