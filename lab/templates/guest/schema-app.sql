CREATE TABLE note (id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY, text text NOT NULL, at timestamptz NOT NULL DEFAULT now())
ALTER TABLE note OWNER TO "www-data"
