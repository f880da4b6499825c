CREATE TABLE "main"."account_config" (
    "account_id" UUID NOT NULL,
    "broker_id" UUID NOT NULL,
    "spread_type" VARCHAR(20) NOT NULL CHECK (length("spread_type") <= 20) CHECK ("spread_type" IN ('FIXED', 'VARIABLE')),
    "commission" DOUBLE NOT NULL CHECK ("commission" >= 0) CHECK ("commission" <= 50),
    "margin_requirement" DOUBLE NOT NULL CHECK ("margin_requirement" > 0) CHECK ("margin_requirement" <= 100),
    "leverage" DOUBLE NOT NULL CHECK ("leverage" >= 1) CHECK ("leverage" <= 3000),
    "currency_pair" VARCHAR(10) NOT NULL CHECK (length("currency_pair") <= 10),
    "status" VARCHAR(20) NOT NULL CHECK (length("status") <= 20) CHECK ("status" IN ('ACTIVE', 'INACTIVE')),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("account_id")
);
CREATE TABLE "desired"."account_config" (
    "account_id" UUID,
    "broker_id" UUID,
    "spread_type" VARCHAR(20),
    "commission" DOUBLE,
    "margin_requirement" DOUBLE,
    "leverage" DOUBLE,
    "currency_pair" VARCHAR(10),
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
    PRIMARY KEY ("account_id")
);
CREATE INDEX "account_config_account_id_broker_id_index" ON "main"."account_config" ("account_id", "broker_id");
CREATE INDEX "account_config_name_index" ON "desired"."account_config" ("name");
CREATE INDEX "account_config_path_index" ON "desired"."account_config" ("path");
