BEGIN TRANSACTION;
CREATE TABLE looktwice_inspections (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	score DOUBLE, 
	product VARCHAR(255) NOT NULL, 
	lot VARCHAR(255) NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	run VARCHAR(32), 
	place INTEGER, 
	"row" TEXT NOT NULL, 
	map BLOB, 
	map_height INTEGER, 
	map_width INTEGER, 
	map_peak DOUBLE, 
	preview BLOB, 
	UNIQUE (run, place), 
	FOREIGN KEY(run) REFERENCES looktwice_runs (id)
);
INSERT INTO "looktwice_inspections" VALUES(1,'a.png','defect',0.8,'cloth','week 7','2026-03-01T12:00:00.000000+00:00','8b0c770c650ef730',0,'{"schema": 1, "path": "/parts/a.png", "status": "ok", "error": null, "mode": "few-shot", "score": 0.8, "p_value": 0.2, "threshold": 0.7, "verdict": "defect", "review_threshold": 0.6, "regions": [{"id": "R1", "box": [1, 2, 30, 40], "area": 500, "area_fraction": 0.05, "peak": 0.9, "position": "top left", "severity": "slight", "defect_types": [], "reference": null, "kind": "strange"}], "width": 320, "height": 200, "evidence": {"method": "conformal", "origin": "set by counting", "n": 20, "target_false_alarm": 0.05, "smallest_p": 0.047619047619047616, "expected_rate": 1.0, "upper_rate": 1.0}, "scale": [0.5, 1.2], "looks_like": [], "notices": ["a notice"], "bundle": null, "weights": null, "product": "cloth", "references": 4, "created": "2026-03-01T12:00:00+00:00", "ms": null, "rank": null}',X'000057245728822A572C6C2D822E982F5730E2306C31F73182320D339833113457349C34E23427356C35B235F7353D368236C8360D3752379837DD3711383438573879389C38BF38E238043927394A396C398F39B239D539F7391A3A3D3A5F3A823AA53AC83AEA3A0D3B303B523B753B983BBB3BDD3B003C',6,10,1.29999995231628417968e+00,X'FFD8FFE000104A46494600010100000100010000FFDB0043000503040404030504040405050506070C08070707070F0B0B090C110F1212110F111113161C1713141A1511111821181A1D1D1F1F1F13172224221E241C1E1F1EFFDB0043010505050706070E08080E1E1411141E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1EFFC0001108000C001003012200021101031101FFC4001F0000010501010101010100000000000000000102030405060708090A0BFFC400B5100002010303020403050504040000017D01020300041105122131410613516107227114328191A1082342B1C11552D1F02433627282090A161718191A25262728292A3435363738393A434445464748494A535455565758595A636465666768696A737475767778797A838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE1E2E3E4E5E6E7E8E9EAF1F2F3F4F5F6F7F8F9FAFFC4001F0100030101010101010101010000000000000102030405060708090A0BFFC400B51100020102040403040705040400010277000102031104052131061241510761711322328108144291A1B1C109233352F0156272D10A162434E125F11718191A262728292A35363738393A434445464748494A535455565758595A636465666768696A737475767778797A82838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE2E3E4E5E6E7E8E9EAF2F3F4F5F6F7F8F9FAFFDA000C03010002110311003F00A545145007FFD9');
INSERT INTO "looktwice_inspections" VALUES(2,'ü b.png','error',NULL,'','week 7','2026-03-01T12:00:00.000000+00:00','8b0c770c650ef730',1,'{"schema": 1, "path": "/parts/\u00fc b.png", "status": "error", "error": "\u00fc b.png is not a picture", "mode": null, "score": null, "p_value": null, "threshold": null, "verdict": null, "review_threshold": null, "regions": [], "width": null, "height": null, "evidence": null, "scale": null, "looks_like": [], "notices": [], "bundle": null, "weights": null, "product": null, "references": 0, "created": "2026-03-01T12:00:00+00:00", "ms": null, "rank": null}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "looktwice_inspections" VALUES(3,'strasse ss.png','review',0.5,'cloth','','2026-03-01T13:00:00.000000+00:00',NULL,NULL,'{"schema": 1, "path": "x/STRASSE \u00df.png", "status": "ok", "error": null, "mode": "few-shot", "score": 0.5, "p_value": 0.2, "threshold": 0.7, "verdict": "review", "review_threshold": 0.6, "regions": [{"id": "R1", "box": [1, 2, 30, 40], "area": 500, "area_fraction": 0.05, "peak": 0.9, "position": "top left", "severity": "slight", "defect_types": [], "reference": null, "kind": "strange"}], "width": 320, "height": 200, "evidence": {"method": "conformal", "origin": "set by counting", "n": 20, "target_false_alarm": 0.05, "smallest_p": 0.047619047619047616, "expected_rate": 1.0, "upper_rate": 1.0}, "scale": [0.5, 1.2], "looks_like": [], "notices": ["a notice"], "bundle": null, "weights": null, "product": "cloth", "references": 4, "created": "2026-03-01T13:00:00+00:00", "ms": null, "rank": null, "group": "camera 2"}',X'000057245728822A572C6C2D822E982F5730E2306C31F73182320D339833113457349C34E23427356C35B235F7353D368236C8360D3752379837DD3711383438573879389C38BF38E238043927394A396C398F39B239D539F7391A3A3D3A5F3A823AA53AC83AEA3A0D3B303B523B753B983BBB3BDD3B003C',6,10,1.29999995231628417968e+00,X'FFD8FFE000104A46494600010100000100010000FFDB0043000503040404030504040405050506070C08070707070F0B0B090C110F1212110F111113161C1713141A1511111821181A1D1D1F1F1F13172224221E241C1E1F1EFFDB0043010505050706070E08080E1E1411141E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1EFFC0001108000C001003012200021101031101FFC4001F0000010501010101010100000000000000000102030405060708090A0BFFC400B5100002010303020403050504040000017D01020300041105122131410613516107227114328191A1082342B1C11552D1F02433627282090A161718191A25262728292A3435363738393A434445464748494A535455565758595A636465666768696A737475767778797A838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE1E2E3E4E5E6E7E8E9EAF1F2F3F4F5F6F7F8F9FAFFC4001F0100030101010101010101010000000000000102030405060708090A0BFFC400B51100020102040403040705040400010277000102031104052131061241510761711322328108144291A1B1C109233352F0156272D10A162434E125F11718191A262728292A35363738393A434445464748494A535455565758595A636465666768696A737475767778797A82838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE2E3E4E5E6E7E8E9EAF2F3F4F5F6F7F8F9FAFFDA000C03010002110311003F00A545145007FFD9');
INSERT INTO "looktwice_inspections" VALUES(4,'\udcff\x00\u2028x.png','good',0.5,'board','','2026-03-03T12:00:00.000000+00:00',NULL,NULL,'{"schema": 1, "path": "\udcff\u0000\u2028x.png", "status": "ok", "error": null, "mode": "few-shot", "score": 0.5, "p_value": 0.2, "threshold": 0.7, "verdict": "good", "review_threshold": 0.6, "regions": [{"id": "R1", "box": [1, 2, 30, 40], "area": 500, "area_fraction": 0.05, "peak": 0.9, "position": "top left", "severity": "slight", "defect_types": [], "reference": null, "kind": "strange"}], "width": 320, "height": 200, "evidence": {"method": "conformal", "origin": "set by counting", "n": 20, "target_false_alarm": 0.05, "smallest_p": 0.047619047619047616, "expected_rate": 1.0, "upper_rate": 1.0}, "scale": [0.5, 1.2], "looks_like": [], "notices": ["a notice"], "bundle": null, "weights": null, "product": "board", "references": 4, "created": "2026-03-03T12:00:00+00:00", "ms": null, "rank": null}',X'000057245728822A572C6C2D822E982F5730E2306C31F73182320D339833113457349C34E23427356C35B235F7353D368236C8360D3752379837DD3711383438573879389C38BF38E238043927394A396C398F39B239D539F7391A3A3D3A5F3A823AA53AC83AEA3A0D3B303B523B753B983BBB3BDD3B003C',6,10,1.29999995231628417968e+00,NULL);
CREATE TABLE looktwice_p_values (
	inspection INTEGER NOT NULL, 
	product VARCHAR(255) NOT NULL, 
	limits VARCHAR(32) NOT NULL, 
	n INTEGER NOT NULL, 
	"group" VARCHAR(255) NOT NULL, 
	p_value DOUBLE NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	PRIMARY KEY (inspection), 
	FOREIGN KEY(inspection) REFERENCES looktwice_inspections (id) ON DELETE CASCADE
);
INSERT INTO "looktwice_p_values" VALUES(1,'cloth','8f7f07c9576cdfb0a2d5ae7265e20ecf',20,'',0.2,'2026-03-01T12:00:00.000000+00:00');
INSERT INTO "looktwice_p_values" VALUES(3,'cloth','8f7f07c9576cdfb0a2d5ae7265e20ecf',20,'camera 2',0.2,'2026-03-01T13:00:00.000000+00:00');
INSERT INTO "looktwice_p_values" VALUES(4,'board','8f7f07c9576cdfb0a2d5ae7265e20ecf',20,'',0.2,'2026-03-03T12:00:00.000000+00:00');
CREATE TABLE looktwice_runs (
	id VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	total INTEGER NOT NULL, 
	sources TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	lot VARCHAR(255) NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	owner VARCHAR(255) NOT NULL, 
	held_until VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "looktwice_runs" VALUES('8b0c770c650ef730','stopped',3,'["/parts/a.png", "/parts/\u00fc b.png", "/parts/c.png"]','{"product": "cloth", "mode": "auto"}','week 7','2026-11-28T03:05:16.895500+00:00','station-1 1','2026-11-28T03:06:16.927866+00:00');
CREATE TABLE looktwice_settings (
	name VARCHAR(32) NOT NULL, 
	value VARCHAR(255) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "looktwice_settings" VALUES('schema','1');
CREATE TABLE looktwice_sign_offs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	inspection INTEGER NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	actor VARCHAR(255) NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	withdrawn VARCHAR(32), 
	withdrawn_by VARCHAR(255) NOT NULL, 
	FOREIGN KEY(inspection) REFERENCES looktwice_inspections (id) ON DELETE CASCADE
);
INSERT INTO "looktwice_sign_offs" VALUES(1,1,'good','a shadow','eva','user eva','2026-11-28T03:05:16.993785+00:00','2026-11-28T03:05:17.005202+00:00','otto');
INSERT INTO "looktwice_sign_offs" VALUES(2,1,'defect','a scratch','otto','user otto','2026-11-28T03:05:17.015448+00:00',NULL,'');
CREATE TABLE looktwice_turns (
	id INTEGER NOT NULL, 
	inspection INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(inspection) REFERENCES looktwice_inspections (id)
);
INSERT INTO "looktwice_turns" VALUES(1,1,'"Where?"','{"text": "In R1.", "regions": ["R1"], "source": "template", "notices": ["a notice"], "seen": [{"where": "R1", "text": "A groove.", "sure": "maybe"}], "disagrees": "", "failed": false, "more": "", "language": "en"}','2026-11-28T03:05:16.975567+00:00');
INSERT INTO "looktwice_turns" VALUES(2,1,'"Why''; --\u0000"','{"text": "Because.", "regions": [], "source": "template", "notices": [], "seen": [], "disagrees": "It looks open.", "failed": false, "more": "", "language": "en"}','2026-11-28T03:05:16.979413+00:00');
CREATE INDEX ix_looktwice_runs_created ON looktwice_runs (created);
CREATE INDEX ix_looktwice_inspections_lot ON looktwice_inspections (lot);
CREATE INDEX ix_looktwice_inspections_created ON looktwice_inspections (created);
CREATE INDEX ix_looktwice_inspections_product ON looktwice_inspections (product);
CREATE INDEX ix_looktwice_inspections_verdict ON looktwice_inspections (verdict);
CREATE INDEX ix_looktwice_turns_inspection ON looktwice_turns (inspection);
CREATE INDEX ix_looktwice_sign_offs_inspection ON looktwice_sign_offs (inspection);
CREATE INDEX looktwice_p_values_stream ON looktwice_p_values (product, limits, "group", inspection);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('looktwice_inspections',5);
INSERT INTO "sqlite_sequence" VALUES('looktwice_sign_offs',2);
COMMIT;
