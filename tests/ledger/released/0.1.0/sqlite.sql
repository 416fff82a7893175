BEGIN TRANSACTION;
CREATE TABLE jobs (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    digest       TEXT NOT NULL,
    router_id    TEXT NOT NULL,
    tenant_id    TEXT,
    order_id     TEXT,
    phase        TEXT NOT NULL,
    outcome      TEXT,
    service_id   TEXT,
    attempts     INTEGER NOT NULL,
    doc          TEXT NOT NULL,
    owner        TEXT,
    leased_until REAL,
    created_at   REAL NOT NULL,
    updated_at   REAL NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;
INSERT INTO "jobs" VALUES('/shop','created','createdcreatedcreated','router-of-created','t','o','done','created','5f0e2b9c',1,'{"wanted":{"router_id":"router-of-created","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":1,"looks":0,"may_own":false,"strikes":0,"delayed_told":false,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00","outcome":{"kind":"created","occurred_at":"2026-03-01T12:00:00+00:00","service":{"id":"5f0e2b9c","status":"PENDING_CREATE","attributes":{"id":"5f0e2b9c","name":"über-vpn"},"created_at":"2026-03-01T12:00:00+00:00"},"trouble":null,"is_retryable":false,"reconciled":true,"existing_service_id":null,"evidence":[],"is_dead_letter":false}}',NULL,NULL,1772366400.0,1772366400.0);
INSERT INTO "jobs" VALUES('/shop','failed','failedfailedfailed','router-of-failed','t','o','done','failed',NULL,3,'{"wanted":{"router_id":"router-of-failed","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":3,"looks":0,"may_own":false,"strikes":0,"delayed_told":false,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00","outcome":{"kind":"failed","occurred_at":"2026-03-01T12:00:00+00:00","service":null,"trouble":{"code":"timeout","message":"The cloud did not answer within 30 s.","http_status":504,"api_code":"APIGW.0201","api_request_id":"req-1"},"is_retryable":true,"reconciled":false,"existing_service_id":"other","evidence":[],"is_dead_letter":false}}',NULL,NULL,1772366400.0,1772366400.0);
INSERT INTO "jobs" VALUES('/shop','in-doubt','in-doubtin-doubtin-doubt','router-of-in-doubt','t','o','done','in_doubt',NULL,1,'{"wanted":{"router_id":"router-of-in-doubt","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":1,"looks":0,"may_own":false,"strikes":0,"delayed_told":false,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00","outcome":{"kind":"in_doubt","occurred_at":"2026-03-01T12:00:00+00:00","service":null,"trouble":{"code":"timeout","message":"The cloud did not answer within 30 s.","http_status":504,"api_code":"APIGW.0201","api_request_id":"req-1"},"is_retryable":false,"reconciled":false,"existing_service_id":null,"evidence":[{"id":"5f0e2b9c","status":"PENDING_CREATE","attributes":{"id":"5f0e2b9c","name":"über-vpn"},"created_at":"2026-03-01T12:00:00+00:00"}],"is_dead_letter":true}}',NULL,NULL,1772366400.0,1772366400.0);
INSERT INTO "jobs" VALUES('/shop','looking','lookinglookinglooking','router-of-looking','t','o','looking',NULL,NULL,1,'{"wanted":{"router_id":"router-of-looking","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":1,"looks":3,"may_own":true,"strikes":1,"delayed_told":false,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00","doubt_since":"2026-03-01T12:00:00+00:00","doubt":"unknown","trouble":{"code":"timeout","message":"The cloud did not answer within 30 s.","http_status":504,"api_code":"APIGW.0201","api_request_id":"req-1"}}','a-worker-of-that-time',1772366520.0,1772366400.0,1772366400.0);
INSERT INTO "jobs" VALUES('/shop','ready','readyreadyready','router-of-ready','t','o','ready',NULL,NULL,2,'{"wanted":{"router_id":"router-of-ready","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":2,"looks":0,"may_own":false,"strikes":0,"delayed_told":true,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00","due_at":"2026-03-01T12:00:00+00:00","trouble":{"code":"timeout","message":"The cloud did not answer within 30 s.","http_status":504,"api_code":"APIGW.0201","api_request_id":"req-1"}}',NULL,NULL,1772366400.0,1772366400.0);
INSERT INTO "jobs" VALUES('/shop','sent','sentsentsent','router-of-sent','t','o','sent',NULL,NULL,1,'{"wanted":{"router_id":"router-of-sent","name":"über-vpn","tenant_id":"t","order_id":"o"},"attempts":1,"looks":0,"may_own":false,"strikes":0,"delayed_told":false,"first_seen_at":"2026-03-01T12:00:00+00:00","deadline_at":"2026-03-02T12:00:00+00:00","expires_at":"2026-03-02T12:00:00+00:00","first_sent_at":"2026-03-01T12:00:00+00:00","sent_at":"2026-03-01T12:00:00+00:00"}','a-worker-of-that-time',1772366520.0,1772366400.0,1772366400.0);
CREATE INDEX jobs_undecided ON jobs (router_id) WHERE phase <> 'done';
CREATE UNIQUE INDEX jobs_by_service ON jobs (service_id) WHERE service_id IS NOT NULL;
COMMIT;
PRAGMA user_version = 1;
