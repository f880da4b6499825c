CREATE TABLE "main"."system_config" (
    "config_id" UUID NOT NULL,
    "log_level" VARCHAR(20) NOT NULL CHECK (length("log_level") <= 20) CHECK ("log_level" IN ('DEBUG', 'INFO', 'WARN', 'ERROR')),
    "backup_interval_sec" INTEGER NOT NULL CHECK ("backup_interval_sec" >= 60) CHECK ("backup_interval_sec" <= 604800),
    "max_log_size_mb" DOUBLE NOT NULL CHECK ("max_log_size_mb" >= 1) CHECK ("max_log_size_mb" <= 102400),
    "cache_size_mb" DOUBLE NOT NULL CHECK ("cache_size_mb" >= 16) CHECK ("cache_size_mb" <= 65536),
    "sync_interval_sec" INTEGER NOT NULL CHECK ("sync_interval_sec" >= 1) CHECK ("sync_interval_sec" <= 3600),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("config_id")
);
CREATE TABLE "desired"."system_config" (
    "config_id" UUID,
    "log_level" VARCHAR(20),
    "backup_interval_sec" INTEGER,
    "max_log_size_mb" DOUBLE,
    "cache_size_mb" DOUBLE,
    "sync_interval_sec" INTEGER,
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
    PRIMARY KEY ("config_id")
);
CREATE INDEX "system_config_config_id_index" ON "main"."system_config" ("config_id");
CREATE INDEX "system_config_name_index" ON "desired"."system_config" ("name");
CREATE INDEX "system_config_path_index" ON "desired"."system_config" ("path");
