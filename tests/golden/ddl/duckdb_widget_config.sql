CREATE TABLE "main"."widget_config" (
    "widget_id" UUID NOT NULL,
    "colour" VARCHAR(10) NOT NULL CHECK (length("colour") <= 10) CHECK ("colour" IN ('RED', 'GREEN')),
    "label" VARCHAR(10) NOT NULL CHECK (length("label") <= 10),
    "weight" DOUBLE NOT NULL CHECK ("weight" > 0) CHECK ("weight" <= 100),
    "ratio" DOUBLE CHECK ("ratio" >= 0.01e0) CHECK ("ratio" < 2.5e0),
    "pieces" INTEGER NOT NULL CHECK ("pieces" >= 1) CHECK ("pieces" <= 1000),
    "fragile" BOOLEAN,
    "note" VARCHAR,
    "parts" JSON,
    "maker_id" UUID,
    "status" VARCHAR(20) NOT NULL CHECK (length("status") <= 20) CHECK ("status" IN ('ACTIVE', 'INACTIVE')),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("widget_id")
);
CREATE TABLE "desired"."widget_config" (
    "widget_id" UUID,
    "colour" VARCHAR(10),
    "label" VARCHAR(10),
    "weight" DOUBLE,
    "ratio" DOUBLE,
    "pieces" INTEGER,
    "fragile" BOOLEAN,
    "note" VARCHAR,
    "parts" JSON,
    "maker_id" UUID,
    "status" VARCHAR(20),
    "created_at" TIMESTAMP,
    "updated_at" TIMESTAMP,
    "name" VARCHAR,
    "labels" JSON,
    "annotations" JSON,
    "refs" JSON,
    "path" VARCHAR,
    "line" INTEGER,
    "digest" VARCHAR,
    "created_commit" VARCHAR,
    "updated_commit" VARCHAR,
    PRIMARY KEY ("widget_id")
);
CREATE INDEX "widget_config_widget_id_status_index" ON "main"."widget_config" ("widget_id", "status");
CREATE INDEX "widget_config_name_index" ON "desired"."widget_config" ("name");
CREATE INDEX "widget_config_path_index" ON "desired"."widget_config" ("path");
