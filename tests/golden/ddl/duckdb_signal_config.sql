CREATE TABLE "main"."signal_config" (
    "config_id" UUID NOT NULL,
    "entry_strategy" VARCHAR(50) NOT NULL CHECK (length("entry_strategy") <= 50) CHECK ("entry_strategy" IN ('BREAKOUT', 'REVERSAL')),
    "exit_strategy" VARCHAR(50) NOT NULL CHECK (length("exit_strategy") <= 50) CHECK ("exit_strategy" IN ('STOP_LOSS', 'TRAILING_STOP')),
    "lot_size_type" VARCHAR(20) NOT NULL CHECK (length("lot_size_type") <= 20) CHECK ("lot_size_type" IN ('FIXED', 'PERCENTAGE')),
    "risk_per_trade_percent" DOUBLE NOT NULL CHECK ("risk_per_trade_percent" > 0) CHECK ("risk_per_trade_percent" <= 100),
    "trade_direction" VARCHAR(10) NOT NULL CHECK (length("trade_direction") <= 10) CHECK ("trade_direction" IN ('BUY', 'SELL', 'BOTH')),
    "status" VARCHAR(20) NOT NULL CHECK (length("status") <= 20) CHECK ("status" IN ('ACTIVE', 'INACTIVE')),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("config_id")
);
CREATE TABLE "desired"."signal_config" (
    "config_id" UUID,
    "entry_strategy" VARCHAR(50),
    "exit_strategy" VARCHAR(50),
    "lot_size_type" VARCHAR(20),
    "risk_per_trade_percent" DOUBLE,
    "trade_direction" VARCHAR(10),
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
    PRIMARY KEY ("config_id")
);
CREATE INDEX "signal_config_config_id_status_index" ON "main"."signal_config" ("config_id", "status");
CREATE INDEX "signal_config_name_index" ON "desired"."signal_config" ("name");
CREATE INDEX "signal_config_path_index" ON "desired"."signal_config" ("path");
