CREATE TABLE "main"."instance_config" (
    "instance_id" UUID NOT NULL,
    "path" VARCHAR(255) NOT NULL CHECK (length("path") <= 255),
    "cpu_limit_percent" DOUBLE NOT NULL CHECK ("cpu_limit_percent" >= 1) CHECK ("cpu_limit_percent" <= 100),
    "memory_limit_mb" DOUBLE NOT NULL CHECK ("memory_limit_mb" >= 256) CHECK ("memory_limit_mb" <= 65536),
    "max_trades" INTEGER NOT NULL CHECK ("max_trades" >= 1) CHECK ("max_trades" <= 1000),
    "slippage_tolerance" DOUBLE NOT NULL CHECK ("slippage_tolerance" >= 0) CHECK ("slippage_tolerance" <= 100),
    "connection_timeout_sec" INTEGER NOT NULL CHECK ("connection_timeout_sec" >= 1) CHECK ("connection_timeout_sec" <= 600),
    "status" VARCHAR(20) NOT NULL CHECK (length("status") <= 20) CHECK ("status" IN ('ACTIVE', 'INACTIVE')),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("instance_id")
);
CREATE TABLE "desired"."instance_config" (
    "instance_id" UUID,
    "path" VARCHAR(255),
    "cpu_limit_percent" DOUBLE,
    "memory_limit_mb" DOUBLE,
    "max_trades" INTEGER,
    "slippage_tolerance" DOUBLE,
    "connection_timeout_sec" INTEGER,
    "status" VARCHAR(20),
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
    PRIMARY KEY ("instance_id")
);
CREATE INDEX "instance_config_instance_id_status_index" ON "main"."instance_config" ("instance_id", "status");
CREATE INDEX "instance_config_name_index" ON "desired"."instance_config" ("name");
CREATE INDEX "instance_config_declared_path_index" ON "desired"."instance_config" ("declared_path");
