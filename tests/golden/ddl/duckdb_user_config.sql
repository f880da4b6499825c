CREATE TABLE "main"."user_config" (
    "user_id" UUID NOT NULL,
    "lot_size_type" VARCHAR(20) NOT NULL CHECK (length("lot_size_type") <= 20) CHECK ("lot_size_type" IN ('FIXED', 'PERCENTAGE')),
    "lot_size_value" DOUBLE NOT NULL CHECK ("lot_size_value" > 0) CHECK ("lot_size_value" <= 100),
    "risk_per_trade_percent" DOUBLE NOT NULL CHECK ("risk_per_trade_percent" > 0) CHECK ("risk_per_trade_percent" <= 100),
    "stop_loss_type" VARCHAR(20) NOT NULL CHECK (length("stop_loss_type") <= 20) CHECK ("stop_loss_type" IN ('FIXED', 'ATR', 'PERCENTAGE')),
    "take_profit_type" VARCHAR(20) NOT NULL CHECK (length("take_profit_type") <= 20) CHECK ("take_profit_type" IN ('FIXED', 'ATR', 'PERCENTAGE')),
    "max_open_trades" INTEGER NOT NULL CHECK ("max_open_trades" >= 1) CHECK ("max_open_trades" <= 1000),
    "trade_direction" VARCHAR(10) NOT NULL CHECK (length("trade_direction") <= 10) CHECK ("trade_direction" IN ('BUY', 'SELL', 'BOTH')),
    "status" VARCHAR(20) NOT NULL CHECK (length("status") <= 20) CHECK ("status" IN ('ACTIVE', 'INACTIVE')),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    PRIMARY KEY ("user_id")
);
CREATE TABLE "desired"."user_config" (
    "user_id" UUID,
    "lot_size_type" VARCHAR(20),
    "lot_size_value" DOUBLE,
    "risk_per_trade_percent" DOUBLE,
    "stop_loss_type" VARCHAR(20),
    "take_profit_type" VARCHAR(20),
    "max_open_trades" INTEGER,
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
    PRIMARY KEY ("user_id")
);
CREATE INDEX "user_config_user_id_status_index" ON "main"."user_config" ("user_id", "status");
CREATE INDEX "user_config_name_index" ON "desired"."user_config" ("name");
CREATE INDEX "user_config_path_index" ON "desired"."user_config" ("path");
