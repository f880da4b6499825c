CREATE TABLE "main"."gadget_config" (
    "gadget_id" UUID NOT NULL,
    "path" VARCHAR(255) NOT NULL CHECK (length("path") <= 255),
    "speed" DOUBLE,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("gadget_id")
);
CREATE TABLE "desired"."gadget_config" (
    "gadget_id" UUID,
    "path" VARCHAR(255),
    "speed" DOUBLE,
    "created_at" TIMESTAMP,
    "updated_at" TIMESTAMP,
    "name" VARCHAR,
    "labels" JSON,
    "annotations" JSON,
    "refs" JSON,
    "declared_path" VARCHAR,
    "line" INTEGER,
    "digest" VARCHAR,
    "created_commit" VARCHAR,
    "updated_commit" VARCHAR,
    PRIMARY KEY ("gadget_id")
);
CREATE INDEX "gadget_config_gadget_id_index" ON "main"."gadget_config" ("gadget_id");
CREATE INDEX "gadget_config_name_index" ON "desired"."gadget_config" ("name");
CREATE INDEX "gadget_config_declared_path_index" ON "desired"."gadget_config" ("declared_path");
