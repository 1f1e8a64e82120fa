-- One dial: the threshold in force decides who is called. Nobody is called by surprise: models that
-- are known now keep their fixed cuts until a person turns the dial on.
CREATE TABLE fixed_cuts (model VARCHAR NOT NULL);
INSERT INTO fixed_cuts
SELECT model FROM models
UNION
SELECT model FROM data_files WHERE kind = 'predictions' AND model IS NOT NULL;
