"""The library alone: one `predict` a document, one after the other, in a process of its own.

    python -m bench.vl.library SERVER_URL REQUESTS LAYOUT_MODEL FILE…

Prints the seconds from the first document to the end of the last; models are loaded and warm by then.
"""

import os
import sys
import time


def main() -> None:
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"
    from paddleocr import PaddleOCRVL  # noqa: PLC0415 - after its environment

    server, requests, layout, *files = sys.argv[1:]
    pipeline = PaddleOCRVL(
        layout_detection_model_name="PP-DocLayoutV3",
        layout_detection_model_dir=layout,
        vl_rec_backend="vllm-server",
        vl_rec_server_url=f"{server}/v1",
        vl_rec_max_concurrency=int(requests),
        device="cpu",
        engine="onnxruntime",
    )
    _read(pipeline, files[0])
    print("warm", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    pages = sum(_read(pipeline, file) for file in files[1:])
    print(time.perf_counter() - started, pages, flush=True)
    os._exit(0)  # its threads would keep the process


def _read(pipeline: object, file: str) -> int:
    return len(list(pipeline.predict_iter(file)))  # type: ignore[attr-defined]  # the library has no types


if __name__ == "__main__":
    main()
